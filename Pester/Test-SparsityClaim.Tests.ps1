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

Describe 'Test-SparsityClaim' {
    BeforeAll { $rows = (New-SummaryRow Dense 0 0.9), (New-SummaryRow Quest 0.9 0.89), (New-SummaryRow SnapKV 0.9 0.6) }

    It 'judges a claim' {
        ($rows | Test-SparsityClaim 'Quest over SnapKV').Verdict | Should -Be Supported
        ($rows | Test-SparsityClaim 'SnapKV over Quest').Verdict | Should -Be Refuted
        $open = $rows | Test-SparsityClaim 'Dense over Quest'
        $open.Verdict | Should -Be Underpowered
        $open.NeededSampleCount | Should -BeGreaterThan 20
        $rows | Test-SparsityClaim 'Quest over SnapKV' | Format-Table | Out-String -Width 160 | Should -Match 'Quest over SnapKV, tiny'
    }

    It 'gives one Boolean' {
        $rows | Test-SparsityClaim 'Quest over SnapKV' -Task Ni* -Quiet | Should -BeTrue
        $rows | Test-SparsityClaim 'Quest not below Dense' -Margin 0.02 -Quiet | Should -BeFalse
    }

    It 'says why it cannot' {
        Get-ErrorId { $rows | Test-SparsityClaim 'Quest beats SnapKV' } | Should -Be ParameterInvalid
        Get-ErrorId { $rows | Test-SparsityClaim 'Qest over SnapKV' } | Should -Be MethodNotFound
        Get-ErrorId { $rows | Test-SparsityClaim 'Quest over SnapKV' -Task Cwe } | Should -Be DataInsufficient
    }
}
