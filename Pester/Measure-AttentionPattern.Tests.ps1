BeforeAll {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    Import-SparseFrontier
    $script:model = New-TinyModel "$TestDrive/tiny"
    $script:sample = @{ Model = $model; Task = 'Niah'; SequenceLength = 960; ShortInstructions = $true; TaskParameter = @{ Queries = 1 }; MaximumOutputTokens = 4 }
    $script:traces = "$TestDrive/traces"
    Register-SparseAttentionMethod PesterLoud -Unit Tokens { param($units) $units.Similarity() }
}

Describe 'Measure-AttentionPattern' {
    It 'gives a row a method, layer and head' {
        $rows = Measure-AttentionPattern BlockSparse, SnapKV -Sparsity 0.5 -Layer 0, 1 @sample
        $rows | Should -BeOfType SparseFrontier.AttentionPattern
        @($rows | Group-Object Method, Layer).Count | Should -Be 4
        $rows | Group-Object Method, Layer | ForEach-Object { $_.Count | Should -Be ($rows[-1].Head + 1) }
        $rows | Where-Object Method -EQ SnapKV | ForEach-Object Phase | Select-Object -Unique | Should -Be Decode
        $rows | ForEach-Object { $_.AttentionRecall | Should -BeGreaterThan 0; $_.AttentionRecall | Should -BeLessOrEqual 1.00001 }
    }

    It 'survives CSV and JSON, sorts and groups' {
        $rows = Measure-AttentionPattern BlockSparse -Sparsity 0.5 -Layer 0 @sample
        ($rows | ConvertTo-Json | ConvertFrom-Json).AttentionRecall | Should -Be $rows.AttentionRecall
        ($rows | ConvertTo-Csv | ConvertFrom-Csv).Head | Should -Be $rows.Head
        ($rows | Sort-Object OutputError -Descending)[0].OutputError | Should -Be ($rows.OutputError | Measure-Object -Maximum).Maximum
    }

    It 'takes specifications from the pipeline' {
        $rows = New-SparseAttentionSweep BlockSparse -Sparsity 0.3, 0.5 @sample | Measure-AttentionPattern -Layer 0 -Head 0
        $rows.RequestedSparsity | Should -Be 0.3, 0.5
    }

    It 'shows quality and, in another view, shares' {
        $rows = Measure-AttentionPattern Dense -Layer 0 @sample
        $rows | Format-Table | Out-String | Should -Match 'Recall.*Distance.*Error'
        $rows | Format-Table -View Shares | Out-String | Should -Match 'Vertical.*Slash'
    }

    It 'measures a method of the user, a script block' {
        (Measure-AttentionPattern PesterLoud -Sparsity 0.5 -Layer 0 -Head 0 @sample).Method | Should -Be PesterLoud
    }

    It 'reports what the model does not have' {
        Get-ErrorId { Measure-AttentionPattern Dense -Layer 99 @sample } | Should -Be ParameterInvalid
        Get-ErrorId { Measure-AttentionPattern Dense -Head 99 @sample } | Should -Be ParameterInvalid
        Get-ErrorId { Measure-AttentionPattern NoSuchMethod @sample } | Should -Be MethodNotFound
        Get-ErrorId { Measure-AttentionPattern SnapKV -Sparsity 0.99 @sample } | Should -Contain BudgetInfeasible
    }

    It 'runs in parallel runspaces and in jobs' {
        $root = Get-RepositoryRoot
        $parallel = 1..2 | ForEach-Object -ThrottleLimit 2 -Parallel {
            Import-Module "$using:root/SparseFrontier.psd1"
            $sample = $using:sample
            Measure-AttentionPattern BlockSparse -Sparsity 0.5 -Layer 0 -Head 0 @sample
        }
        $parallel[0].CapturedMass | Should -Be $parallel[1].CapturedMass
        $job = Start-Job -ScriptBlock {
            Import-Module "$using:root/SparseFrontier.psd1"
            $sample = $using:sample
            Measure-AttentionPattern BlockSparse -Sparsity 0.5 -Layer 0 -Head 0 @sample
        } | Receive-Job -Wait -AutoRemoveJob
        $job.CapturedMass | Should -Be $parallel[0].CapturedMass
        $job | Format-Table | Out-String | Should -Match 'Recall'
    }

    It 'stops when it has given enough' {
        @(Measure-AttentionPattern Dense @sample | Select-Object -First 1).Count | Should -Be 1
    }
}

Describe 'Export-AttentionTrace and Invoke-AttentionTrace' {
    It 'writes nothing under -WhatIf' {
        Export-AttentionTrace -OutputPath $traces -Layer 0 @sample -WhatIf
        Test-Path $traces | Should -BeFalse
    }

    It 'writes traces, silently unless -PassThru' {
        Export-AttentionTrace -OutputPath $traces -Layer 0 @sample | Should -BeNullOrEmpty
        $files = Export-AttentionTrace -OutputPath $traces -Layer 0, 1 @sample -Force -PassThru
        $files | Should -BeOfType SparseFrontier.AttentionTraceFile
        $files.Path | ForEach-Object { Test-Path $_ | Should -BeTrue }
        $files | Out-String | Should -Match 'Query heads'
        Get-ErrorId { Export-AttentionTrace -OutputPath $traces -Layer 0 @sample } | Should -Be OutputFileExists
    }

    It 'is measured and replayed without the model' {
        $null = Export-AttentionTrace -OutputPath $traces -Layer 0 @sample -Force
        $direct = Measure-AttentionPattern BlockSparse -Sparsity 0.5 -Layer 0 @sample
        $traced = Get-ChildItem $traces -Filter *layer00* | Measure-AttentionPattern BlockSparse -Sparsity 0.5
        $traced.CapturedMass | Should -Be $direct.CapturedMass
        $summary = Get-ChildItem $traces -Filter *layer00* | Invoke-AttentionTrace BlockSparse, Quest -Sparsity 0.5
        $summary | Should -BeOfType SparseFrontier.AttendSummary
        $summary.Method | Should -Be BlockSparse, Quest
        $summary | ForEach-Object { $_.Sparsity | Should -BeGreaterThan 0.4 }
    }

    It 'replays with a script block and writes what was chosen' {
        $null = Export-AttentionTrace -OutputPath $traces -Layer 0 @sample -Force
        $summary = Invoke-AttentionTrace PesterLoud -Path "$traces/*layer00*" -Sparsity 0.5 -OutputPath "$TestDrive/selections"
        $summary.Method | Should -Be PesterLoud
        Test-Path $summary.Output | Should -BeTrue
    }

    It 'reports what is not there, and goes on' {
        $null = Export-AttentionTrace -OutputPath $traces -Layer 0 @sample -Force
        Get-ErrorId { Invoke-AttentionTrace Dense -Path "$traces/none.safetensors" } | Should -Be FileNotFound
        Set-Content "$TestDrive/broken.safetensors" broken
        $errors = $null
        $rows = "$TestDrive/broken.safetensors", (Get-ChildItem $traces -Filter *layer00*).FullName | Invoke-AttentionTrace Dense -ErrorVariable errors -ErrorAction SilentlyContinue
        @($rows).Count | Should -Be 1
        $errors.Count | Should -Be 1
    }
}

Describe 'Show-AttentionMask' {
    It 'draws in the width asked for, in ASCII' {
        $lines = Show-AttentionMask BlockSparse -Sparsity 0.5 -Width 60 -Ascii @sample
        $lines | Should -BeOfType string
        $lines | ForEach-Object { $_.Length | Should -BeLessOrEqual 60; $_ | Should -Match '^[ -~]*$' }
    }

    It 'writes a page that needs nothing else' {
        $path = "$TestDrive/mask.html"
        Show-AttentionMask BlockSparse -Sparsity 0.5 -OutputPath $path @sample -WhatIf
        Test-Path $path | Should -BeFalse
        Show-AttentionMask BlockSparse -Sparsity 0.5 -OutputPath $path @sample | Should -BeNullOrEmpty
        Get-Content $path -Raw | Should -Not -Match 'https?:'
        Get-ErrorId { Show-AttentionMask BlockSparse -Sparsity 0.5 -OutputPath $path @sample } | Should -Be OutputFileExists
    }

    It 'completes methods and parameters' {
        (Get-Completion 'Show-AttentionMask Verti').CompletionText | Should -Contain VerticalSlash
        (Get-Completion 'Measure-AttentionPattern -Que').CompletionText | Should -Contain '-QueryCount'
        (Get-Completion 'Invoke-AttentionTrace Que').CompletionText | Should -Contain Quest
    }
}
