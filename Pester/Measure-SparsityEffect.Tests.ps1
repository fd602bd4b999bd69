BeforeAll {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    Import-SparseFrontier
}

Describe 'Measure-SparsityEffect' {
    BeforeAll {
        $rows = foreach ($length in 1024, 2048, 4096) {
            foreach ($point in @('Dense', 0.0, 1.0), @('Quest', 0.5, 1.0), @('Quest', 0.9, 0.8)) {
                $row = New-ResultRow @point
                @{ Method = 'Dense'; DecodeMethod = $row.DecodeMethod; Task = 'Niah'; Model = 'tiny'; SequenceLength = $length; RunId = "$($row.RunId)-$length"
                    DecodeSparsity = $row.DecodeSparsity; RequestedDecodeSparsity = $row.DecodeSparsity; Score = $row.Score; SampleCount = 20 }
            }
        }
    }

    It 'fits the exponent of the needed budget' {
        $effects = $rows | Measure-SparsityEffect
        $effects.Count | Should -Be 6
        $effects[0].Exponent | Should -BeGreaterThan 0.999
        ($effects | Where-Object Sparsity -EQ 0.9).NeededDensity | Should -HaveCount 3
        $effects | Format-Table | Out-String -Width 160 | Should -Match 'grow as length\^1.00'
    }

    It 'interpolates, and says why it cannot' {
        ($rows | Measure-SparsityEffect -Sparsity 0.7).IsInterpolated | Should -Not -Contain $false
        Get-ErrorId { $rows[0..2] | Measure-SparsityEffect -WarningAction Ignore } | Should -Be DataInsufficient
        Get-ErrorId { $rows | Measure-SparsityEffect -TargetError 2 } | Should -Be ParameterInvalid
    }
}
