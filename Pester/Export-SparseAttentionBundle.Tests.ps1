BeforeAll {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    Import-SparseFrontier
    $script:model = New-TinyModel "$TestDrive/tiny"
    $script:results = "$TestDrive/results"
    $run = Get-SmallRun $model $results
    $null = Invoke-SparseAttentionRun Dense, Quest -Sparsity 0.5 @run
    $script:bundle = "$TestDrive/paper.zip"
}

Describe 'Export-SparseAttentionBundle' {
    It 'writes nothing under -WhatIf' {
        Get-SparseAttentionResult $results | Export-SparseAttentionBundle $bundle -WhatIf
        Test-Path $bundle | Should -BeFalse
    }

    It 'writes one file, silently unless -PassThru, and the same bytes again' {
        Get-SparseAttentionResult $results | Export-SparseAttentionBundle $bundle | Should -BeNullOrEmpty
        $written = Get-SparseAttentionResult $results | Sort-Object Method | Export-SparseAttentionBundle "$TestDrive/again.zip" -PassThru
        $written | Should -BeOfType SparseFrontier.SparseAttentionBundle
        $written.RunCount | Should -Be 2
        $written.BundleId | Should -Match '^[0-9a-f]{64}$'
        (Get-FileHash $bundle).Hash | Should -Be (Get-FileHash "$TestDrive/again.zip").Hash
        $written | Out-String | Should -Match 'BundleId'
    }

    It 'takes rows that were JSON or CSV in between' {
        $rows = Get-SparseAttentionResult $results
        $direct = $rows | Export-SparseAttentionBundle "$TestDrive/direct.zip" -Force -PassThru
        ($rows | ConvertTo-Json | ConvertFrom-Json | Export-SparseAttentionBundle "$TestDrive/json.zip" -Force -PassThru).BundleId | Should -Be $direct.BundleId
        ($rows | ConvertTo-Csv | ConvertFrom-Csv | Export-SparseAttentionBundle "$TestDrive/csv.zip" -Force -PassThru).BundleId | Should -Be $direct.BundleId
    }

    It 'reports by id what it does not do' {
        $rows = Get-SparseAttentionResult $results
        $null = $rows | Export-SparseAttentionBundle $bundle -Force
        Get-ErrorId { $rows | Export-SparseAttentionBundle $bundle } | Should -Be OutputFileExists
        Get-ErrorId { New-ResultRow | Export-SparseAttentionBundle "$TestDrive/none.zip" } | Should -Be DataInsufficient
        Get-ErrorId { $rows | Export-SparseAttentionBundle Env:/none.zip } | Should -Be PathNotFileSystem
    }
}

Describe 'Import-SparseAttentionBundle' {
    BeforeAll { Get-SparseAttentionResult $results | Export-SparseAttentionBundle $bundle -Force }

    It 'scores stored outputs again without the model' {
        Rename-Item $model elsewhere
        try { $runs = Import-SparseAttentionBundle $bundle } finally { Rename-Item "$TestDrive/elsewhere" tiny }
        $runs | Should -BeOfType SparseFrontier.BundledRun
        $runs.Verdict | Should -Be Reproduced, Reproduced
        $runs | ForEach-Object { $_.Score | Should -Be $_.StoredScore }
        $runs | Out-String | Should -Match 'Bundle: paper.zip'
        ($runs | Group-Object Verdict).Count | Should -Be 2
        ($runs | ConvertTo-Json | ConvertFrom-Json).RunId | Should -Be $runs.RunId
        ($runs | ConvertTo-Csv | ConvertFrom-Csv).SampleCount | Should -Be $runs.SampleCount
    }

    It 'shows samples' {
        $samples = Get-Item $bundle | Import-SparseAttentionBundle -Sample
        $samples | Should -BeOfType SparseFrontier.RescoredSample
        $samples | Where-Object IsChanged | Should -BeNullOrEmpty
        $samples | Out-String | Should -Match 'Stored'
    }

    It 'adds runs to a folder of results, where they are read' {
        Import-SparseAttentionBundle $bundle -ResultPath "$TestDrive/theirs" -WhatIf | Where-Object Path | Should -BeNullOrEmpty
        Test-Path "$TestDrive/theirs" | Should -BeFalse
        $rows = Import-SparseAttentionBundle -LiteralPath $bundle -ResultPath "$TestDrive/theirs" | Get-SparseAttentionResult
        $rows.RunId | Sort-Object | Should -Be ((Get-SparseAttentionResult $results).RunId | Sort-Object)
    }

    It 'names what was changed in a file and goes on with the next' {
        $changed = "$TestDrive/changed.zip"
        Copy-Item $bundle $changed
        $archive = [System.IO.Compression.ZipFile]::Open($changed, 'Update')
        $entry = $archive.Entries | Where-Object Name -EQ summary.json | Select-Object -First 1
        $stream = $entry.Open(); $stream.WriteByte(32); $stream.Dispose()
        $archive.Dispose()
        $errors = $null
        $runs = $changed, $bundle | Import-SparseAttentionBundle -ErrorVariable errors -ErrorAction SilentlyContinue
        @($runs).Count | Should -Be 2
        $errors[0].FullyQualifiedErrorId | Should -Match '^BundleInvalid,'
        $errors[0].Exception.Message | Should -Match 'summary.json'
        Get-ErrorId { Import-SparseAttentionBundle "$TestDrive/none.zip" } | Should -Be FileNotFound
    }

    It 'needs a task of your own to be registered' {
        Register-SparseAttentionTask PesterFirst { param($seed, $units) @{ Context = "word$seed $(1..$units)"; Question = 'What is the first word?'; Answer = "word$seed" } }
        $null = Invoke-SparseAttentionRun Dense PesterFirst -Model $model -SequenceLength 960 -SampleCount 1 -MaximumOutputTokens 4 -ResultPath "$TestDrive/own"
        Get-SparseAttentionResult "$TestDrive/own" | Export-SparseAttentionBundle "$TestDrive/own.zip"
        (Import-SparseAttentionBundle "$TestDrive/own.zip").Verdict | Should -Be Reproduced
        $root = Get-RepositoryRoot
        $elsewhere = Start-Job { Import-Module "$using:root/SparseFrontier.psd1"; Import-SparseAttentionBundle "$using:TestDrive/own.zip" -WarningAction SilentlyContinue } |
            Receive-Job -Wait -AutoRemoveJob
        $elsewhere.Verdict | Should -Be NotScored
        $elsewhere.Message | Should -Match 'Register-SparseAttentionTask'
    }

    It 'runs in parallel runspaces and stops when it has given enough' {
        $root = Get-RepositoryRoot
        $rows = 1..2 | ForEach-Object -ThrottleLimit 2 -Parallel { Import-Module "$using:root/SparseFrontier.psd1"; Import-SparseAttentionBundle $using:bundle }
        $rows.Count | Should -Be 4
        @(Import-SparseAttentionBundle $bundle | Select-Object -First 1).Count | Should -Be 1
    }

    It 'completes parameters' {
        (Get-Completion 'Import-SparseAttentionBundle -Res').CompletionText | Should -Contain '-ResultPath'
        (Get-Completion 'Export-SparseAttentionBundle -Pass').CompletionText | Should -Contain '-PassThru'
    }
}
