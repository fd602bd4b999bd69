BeforeAll {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    Import-SparseFrontier
}

Describe 'Measure-SparsityTolerance' {
    BeforeAll {
        $rows = foreach ($row in @('Dense', 0.0, 0.9), @('Quest', 0.5, 0.89), @('Quest', 0.9, 0.4)) {
            $result = New-ResultRow $row[0] $row[1] $row[2]
            $properties = @{ StandardError = 0.03 }
            foreach ($name in 'RunId', 'Method', 'DecodeMethod', 'Task', 'Model', 'SequenceLength', 'PrefillSparsity', 'DecodeSparsity', 'Score', 'SampleCount') { $properties[$name] = $result.$name }
            $properties
        }
    }

    It 'applies the paper''s rule to rows alone' {
        $tolerance = $rows | Measure-SparsityTolerance -Criterion Paper
        $tolerance.ToleratedSparsity | Should -Be 0.5
        $tolerance.NextSparsity | Should -Be 0.9
        $tolerance.Criterion | Should -Be Paper
    }

    It 'says what it needs to compare samples' {
        Get-ErrorId { $rows | Measure-SparsityTolerance } | Select-Object -Unique | Should -Be DataInsufficient
        Get-ErrorId { $rows[1] | Measure-SparsityTolerance } | Should -Be DataInsufficient
        Get-ErrorId { $rows | Measure-SparsityTolerance -MaximumDrop 2 } | Should -Be ParameterInvalid
    }

    It 'compares the samples of runs, and does not claim what few of them cannot show' {
        $model = New-TinyModel (Join-Path $TestDrive model)
        $run = Get-SmallRun $model (Join-Path $TestDrive results)
        $run.SampleCount = 2
        $results = New-SparseAttentionSweep -Method Dense, Quest -Sparsity 0.5 -Model $model -Task $run.Task -SequenceLength $run.SequenceLength -ShortInstructions `
            -TaskParameter $run.TaskParameter -SampleCount 2 -MaximumOutputTokens 4 | Invoke-SparseAttentionRun -ResultPath $run.ResultPath
        $tolerance = $results | Measure-SparsityTolerance
        # An untrained model answers nothing, so that nothing could be lost.
        $tolerance.ToleratedSparsity | Should -BeNullOrEmpty
        $tolerance.IsLossVisible | Should -BeFalse
        $tolerance.NeededSampleCount | Should -BeNullOrEmpty
        $tolerance.Message | Should -Match "not established at n = 2, dense attention's score, 0.000, is not shown to be more than 0.05 above chance"
        $tolerance | Format-Table | Out-String -Width 160 | Should -Match 'loss below 0.05 with confidence 0.95'
        (Get-SparseAttentionResult $run.ResultPath | Measure-SparsityTolerance).Message | Should -Be $tolerance.Message
    }

    It 'names the samples needed where dense attention does the task' {
        $small = @{ Model = 'frontier-1m'; Task = 'Niah'; SequenceLength = 1024; ShortInstructions = $true; SampleCount = 2; ResultPath = Join-Path $TestDrive embedded }
        $tolerance = Invoke-SparseAttentionRun Dense, Quest -Sparsity 0.2 @small | Measure-SparsityTolerance
        $tolerance.DenseScore | Should -Be 1
        $tolerance.NeededSampleCount | Should -Be 59
        $tolerance.Message | Should -Match 'not established at n = 2'
    }

    It 'completes its choices' {
        (Get-Completion 'Measure-SparsityTolerance -Criterion P').CompletionText | Should -Contain Paper
    }
}
