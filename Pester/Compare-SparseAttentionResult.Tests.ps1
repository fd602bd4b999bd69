BeforeAll {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    Import-SparseFrontier

    function New-SummaryRow([string] $Method, [double] $Sparsity, [double] $Score) {
        $row = @{ StandardError = 0.01 }
        $result = New-ResultRow $Method $Sparsity $Score
        foreach ($name in 'RunId', 'Method', 'DecodeMethod', 'Task', 'Model', 'SequenceLength', 'Score', 'SampleCount') { $row[$name] = $result.$name }
        if ($Sparsity) { $row.RequestedDecodeSparsity = $Sparsity }
        $row
    }
}

Describe 'Compare-SparseAttentionResult' {
    It 'compares loose rows by their means, and survives JSON' {
        $difference = New-SummaryRow Quest 0.9 0.7 | Compare-SparseAttentionResult (New-SummaryRow Quest 0.9 0.8)
        $difference.Verdict | Should -Be Regressed
        $difference.Test | Should -Be Welch
        ($difference | ConvertTo-Json | ConvertFrom-Json).Difference | Should -Be $difference.Difference
        $difference | Format-Table | Out-String -Width 160 | Should -Match 'Niah at 2048 tokens, tiny: margin 0'
    }

    It 'fails by its gate, after the rows' {
        $before = New-SummaryRow Quest 0.9 0.8
        Get-ErrorId { New-SummaryRow Quest 0.9 0.7 | Compare-SparseAttentionResult $before -FailOn Regression } | Should -Be ComparisonFailed
        Get-ErrorId { New-SummaryRow Quest 0.9 0.81 | Compare-SparseAttentionResult $before -FailOn Regression } | Should -BeNullOrEmpty
        @(New-SummaryRow Quest 0.9 0.7 | Compare-SparseAttentionResult $before -FailOn Regression -ErrorAction SilentlyContinue).Count | Should -Be 1
        Get-ErrorId { New-SummaryRow SnapKV 0.9 0.7 | Compare-SparseAttentionResult $before } | Should -Be DataInsufficient
    }

    It 'compares the samples of runs' {
        $run = Get-SmallRun (New-TinyModel (Join-Path $TestDrive model)) (Join-Path $TestDrive results)
        $result = Invoke-SparseAttentionRun Dense @run -SampleCount 2 -WarningAction Ignore
        $difference = Get-SparseAttentionResult $run.ResultPath | Compare-SparseAttentionResult $result -FailOn Change
        $difference.Verdict | Should -Be Unchanged
        $difference.ChangedOutputCount | Should -Be 0
    }

    It 'completes gates and columns' {
        (Get-Completion 'Compare-SparseAttentionResult -FailOn R').CompletionText | Should -Contain Regression
        (Get-Completion 'Compare-SparseAttentionResult -Property Mod').CompletionText | Should -Contain Model
    }
}
