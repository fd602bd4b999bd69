BeforeAll {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    Import-SparseFrontier
    $script:model = New-TinyModel "$TestDrive/tiny"
}

Describe 'New-SparseAttentionSample' {
    It 'makes what a run asks its model' {
        $run = Get-SmallRun $model "$TestDrive/results"
        $run.SampleCount = 2
        $null = Invoke-SparseAttentionRun Dense @run
        $asked = Get-SparseAttentionResult "$TestDrive/results" -Sample | Sort-Object Index
        $run.Remove('ResultPath'); $run.Remove('MaximumOutputTokens')
        $made = New-SparseAttentionSample @run
        $made | Should -BeOfType SparseFrontier.SparseAttentionSample
        $made.Index | Should -Be 0, 1
        $made.GoldJson | Should -Be $asked.GoldJson
        $made.PromptTokens | Should -Be $asked.PromptTokens
        $made[0].Prompt.Length | Should -BeGreaterThan 800
    }

    It 'binds tasks from the pipeline, specifications by their columns' {
        $common = @{ Model = $model; ShortInstructions = $true }
        ('Niah', 'VariableTracking' | New-SparseAttentionSample -SequenceLength 2048).Task | Should -Be Niah, VariableTracking
        (Get-SparseAttentionTask Niah | New-SparseAttentionSample -SequenceLength 960 -TaskParameter @{ Queries = 1 } @common).Task | Should -Be Niah
        $run = Get-SmallRun $model
        $sample = New-SparseAttentionSweep Quest -Sparsity 0.5 @run | Select-Object Task, Model, SequenceLength, Seed, TaskParameters, ShortInstructions | New-SparseAttentionSample
        $sample.SequenceLength | Should -Be 960
        $sample.TaskParameters | Should -Be 'Queries=1'
    }

    It 'gives the same bytes for the same seed, and others for another' {
        $run = @{ Task = 'Niah'; SequenceLength = 960; Model = $model; ShortInstructions = $true; TaskParameter = 'Queries=1' }
        (New-SparseAttentionSample @run).Prompt | Should -BeExactly (New-SparseAttentionSample @run).Prompt
        $two = New-SparseAttentionSample @run -Seed 1, 2
        $two.Seed | Should -Be 1, 2
        $two[0].Prompt | Should -Not -Be $two[1].Prompt
    }

    It 'reports what is wrong and goes on' {
        Get-ErrorId { New-SparseAttentionSample Niha } | Should -Be TaskNotFound
        Get-ErrorId { New-SparseAttentionSample -Model nowhere } | Should -Be ModelNotFound
        Get-ErrorId { New-SparseAttentionSample -SampleCount 0 } | Should -Be ParameterInvalid
        Get-ErrorId { New-SparseAttentionSample -TaskParameter 'Queries=x' } | Should -Be ParameterInvalid
        $made = New-SparseAttentionSample Niah -SequenceLength 8, 2048 -ErrorAction SilentlyContinue -ErrorVariable wrong
        $made.SequenceLength | Should -Be 2048
        $wrong[0].FullyQualifiedErrorId | Should -Match '^SequenceLengthInvalid,'
    }

    It 'completes tasks and their parameters' {
        (Get-Completion 'New-SparseAttentionSample Story').CompletionText | Should -Contain StoryRetrieval
        (Get-Completion 'New-SparseAttentionSample Niah -TaskParameter Q').CompletionText -join ' ' | Should -Match Queries
    }
}
