BeforeAll {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    Import-SparseFrontier

    function New-SummaryRow([string] $Method, [double] $Sparsity, [double] $Score) {
        $row = @{ StandardError = 0.01 }
        $result = New-ResultRow $Method $Sparsity $Score
        foreach ($name in 'RunId', 'Method', 'DecodeMethod', 'Task', 'Model', 'SequenceLength', 'Score', 'SampleCount') { $row[$name] = $result.$name }
        if ($Sparsity) { $row.RequestedDecodeSparsity = $row.DecodeSparsity = $Sparsity }
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

    It 'compares sparsities as measured, and says what missed its own' {
        $missed = New-SummaryRow SnapKV 0.9 0.6
        $missed.DecodeSparsity = 0.7
        Get-ErrorId { $rows[0], $rows[1], $missed | Test-SparsityClaim 'Quest over SnapKV' -WarningVariable script:said -WarningAction SilentlyContinue } | Should -Be DataInsufficient
        $said | Should -Match 'left out 0.900 and 0.700'
    }

    It 'decides nothing at chance' {
        $floor = (New-SummaryRow Dense 0 0.01), (New-SummaryRow Quest 0.9 0.01)
        $claim = $floor | Test-SparsityClaim 'Quest not below Dense' -Margin 0.1
        $claim.Verdict | Should -Be Underpowered
        $claim.Message | Should -Match 'a loss could not be seen'
    }

    It 'gives one Boolean' {
        $rows | Test-SparsityClaim 'Quest over SnapKV' -Task Ni* -Quiet | Should -BeTrue
        $rows | Test-SparsityClaim 'Quest not below Dense' -Margin 0.02 -Quiet | Should -BeFalse
    }

    It 'completes a claim word by word, and opens and closes its quotes: <typed>' -ForEach @(
        @{ typed = 'Ques'; text = "'Quest " }
        @{ typed = "'Quest "; text = "'Quest over ", "'Quest not ", "'Quest at " }
        @{ typed = "'Quest at 0.5 n"; text = "'Quest at 0.5 not " }
        @{ typed = "'Quest at 0.5 not "; text = "'Quest at 0.5 not below " }
        @{ typed = '"VerticalSlash+Que'; text = '"VerticalSlash+Quest ' }
        @{ typed = "'Quest over snap"; text = "'Quest over SnapKV'" }
        @{ typed = "'Quest at 0.9 over SnapKV "; text = "'Quest at 0.9 over SnapKV at " }
    ) {
        $completion = Get-Completion "Test-SparsityClaim $typed"
        $completion.CompletionText | Should -Be $text
        $completion.ToolTip | Should -Not -BeIn $completion.ListItemText
    }

    It 'says why it cannot' {
        Get-ErrorId { $rows | Test-SparsityClaim 'Quest beats SnapKV' } | Should -Be ParameterInvalid
        Get-ErrorId { $rows | Test-SparsityClaim 'Qest over SnapKV' } | Should -Be MethodNotFound
        Get-ErrorId { $rows | Test-SparsityClaim 'Quest over SnapKV' -Task Cwe } | Should -Be DataInsufficient
    }
}
