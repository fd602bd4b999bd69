BeforeAll {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    Import-SparseFrontier
}

Describe 'New-SparseAttentionSweep' {
    It 'multiplies the grid out' {
        $sweep = New-SparseAttentionSweep Quest, SnapKV Niah, CommonWords -SequenceLength 4kb -Sparsity 0.5, 0.9 -Seed 1, 2
        $sweep.Count | Should -Be 16
        $sweep | Should -BeOfType SparseFrontier.RunSpecification
        $sweep[0].SequenceLength | Should -Be 4096
        $sweep.Sparsity + $sweep.DecodeSparsity | Where-Object { $null -ne $_ } | Sort-Object -Unique | Should -Be 0.5, 0.9
    }

    It 'has a default that is the main comparison' {
        (New-SparseAttentionSweep).Count | Should -BeGreaterThan 5
    }

    It 'takes a method as a table, and parameters as a table, nested or as text' {
        (New-SparseAttentionSweep @{ Name = 'Quest'; PageSize = 32 }).DecodeParameters | Should -Match 'PageSize=32'
        (New-SparseAttentionSweep Quest -Parameter @{ PageSize = 32 }).DecodeParameters | Should -Match 'PageSize=32'
        (New-SparseAttentionSweep Quest -Parameter @{ Quest = @{ PageSize = 32 } }).DecodeParameters | Should -Match 'PageSize=32'
        (New-SparseAttentionSweep Quest -Parameter 'PageSize=32').DecodeParameters | Should -Match 'PageSize=32'
        (Get-SparseAttentionMethod Quest | ForEach-Object { New-SparseAttentionSweep $_ }).DecodeMethod | Should -Be Quest
    }

    It 'takes a method as an object, from JSON too, and as what describes one in a file' {
        (New-SparseAttentionSweep ([pscustomobject]@{ Name = 'Quest'; PageSize = 32 })).DecodeParameters | Should -Be 'PageSize=32'
        (New-SparseAttentionSweep ('{ "Name": "Quest", "PageSize": 32 }' | ConvertFrom-Json)).DecodeParameters | Should -Be 'PageSize=32'
        $described = Get-SparseAttentionMethod Quest
        foreach ($method in ($described | ConvertTo-Json | ConvertFrom-Json), ($described | ConvertTo-Csv | ConvertFrom-Csv)) {
            $sweep = New-SparseAttentionSweep $method
            $sweep.DecodeMethod, $sweep.DecodeParameters | Should -Be Quest, ''
        }
    }

    It 'makes a row of a table a cell' {
        $rows = 'Method,DecodeMethod,Task,Sparsity,DecodeSparsity,SequenceLength,DenseLayers', 'Quest,,Niah,0.9,,2048,"0,1"', 'VerticalSlash,SnapKV,Niah,,0.5,4096,' | ConvertFrom-Csv
        $sweep = $rows | New-SparseAttentionSweep
        $sweep.SequenceLength | Should -Be 2048, 4096
        $sweep[0].DenseLayers | Should -Be '0,1'
        $sweep[1].DenseLayers | Should -Be ''
        $sweep[1].Sparsity | Should -BeNullOrEmpty
        $sweep[1].DecodeSparsity | Should -Be 0.5
    }

    It 'takes methods, tasks, models and devices from the pipeline' {
        (Get-SparseAttentionMethod Quest, SnapKV | New-SparseAttentionSweep -Sparsity 0.5).DecodeMethod | Should -Be SnapKV, Quest
        $tasks = Get-SparseAttentionTask Niah, CommonWords | New-SparseAttentionSweep Quest -Sparsity 0.5
        $tasks.Task | Should -Be Niah, CommonWords
        $tasks.DecodeMethod | Should -Be Quest, Quest
        (Get-SparseAttentionModel frontier-1m | New-SparseAttentionSweep Quest).Model | Should -BeLike '*frontier-1m'
        (Get-SparseAttentionDevice cpu | New-SparseAttentionSweep Quest).Device | Should -Be cpu
        (Get-SparseAttentionMethod Quest | Get-SparseAttentionPlan -Sparsity 0.5).DecodeMethod | Should -Be Quest
    }

    It 'refuses a cell that is no number, and never takes the default for it: <name>' -ForEach @(
        @{ name = 'a length beyond all'; cell = @{ SequenceLength = '99999999999999' } }
        @{ name = 'a fraction'; cell = @{ SequenceLength = 1024.6 } }
        @{ name = 'a word'; cell = @{ SampleCount = 'ten' } }
        @{ name = 'a unit'; cell = @{ MaximumOutputTokens = '4k' } }
        @{ name = 'a word for a sparsity'; cell = @{ Sparsity = 'half' } }
    ) {
        $row = [pscustomobject](@{ Method = 'Quest' } + $cell)
        $row | New-SparseAttentionSweep -ErrorAction SilentlyContinue -ErrorVariable refused | Should -BeNullOrEmpty
        $refused[0].FullyQualifiedErrorId | Should -BeLike 'ParameterArgumentTransformationError*'
    }

    It 'refuses a row that names no method' {
        Get-ErrorId { [pscustomobject]@{ Methd = 'Quest'; SequenceLength = 1024 } | New-SparseAttentionSweep } | Should -Be RunSpecificationInvalid
        ([pscustomobject]@{ SequenceLength = 1024 } | New-SparseAttentionSweep Quest).SequenceLength | Should -Be 1024
    }

    It 'reports what is wrong: <id>' -ForEach @(
        @{ id = 'MethodNotFound'; script = { New-SparseAttentionSweep Qest } }
        @{ id = 'TaskNotFound'; script = { New-SparseAttentionSweep Quest Niha } }
        @{ id = 'SparsityOutOfRange'; script = { New-SparseAttentionSweep Quest -Sparsity 1.5 } }
        @{ id = 'MethodParameterInvalid'; script = { New-SparseAttentionSweep Quest -Parameter @{ NoSuch = 1 } } }
    ) {
        Get-ErrorId $script | Should -Be $id
    }

    It 'completes methods, decode methods, tasks and parameters of the chosen method' {
        (Get-Completion 'New-SparseAttentionSweep -Method Sn').CompletionText | Should -Be SnapKV
        (Get-Completion 'New-SparseAttentionSweep -DecodeMethod ').CompletionText | Should -Not -Contain VerticalSlash
        (Get-Completion 'New-SparseAttentionSweep -Task Ni').CompletionText | Should -Be Niah
        $size = Get-Completion 'New-SparseAttentionSweep -Method Quest -Parameter Pa'
        $size.CompletionText | Should -BeLike 'PageSize=*'
        $size.ToolTip | Should -Match '^Quest: .+ From 1 to \d+, 16 if not given\.$'
    }

    It 'completes a budget schedule word by word, and opens and closes its quotes: <typed>' -ForEach @(
        @{ typed = 'lay'; text = "'layer:" }
        @{ typed = "'layer:0-1 de"; text = "'layer:0-1 dense'" }
        @{ typed = '"layer:0-1 dense | he'; text = '"layer:0-1 dense | head:' }
        @{ typed = "'dense "; text = "'dense | " }
    ) {
        $completion = Get-Completion "New-SparseAttentionSweep Quest -BudgetSchedule $typed"
        $completion.CompletionText | Should -Be $text
        $completion.ToolTip | Should -Not -Be $completion.ListItemText
    }

    # If this fails, PowerShell has learned it: offer the parameters of the method there too, and say so in docs/architecture.md.
    It 'is not asked by PowerShell within a table' {
        Get-Completion 'New-SparseAttentionSweep Quest -Parameter @{ Pa' | Should -BeNullOrEmpty
    }
}
