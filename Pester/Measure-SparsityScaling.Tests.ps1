BeforeAll {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    Import-SparseFrontier
}

Describe 'Measure-SparsityScaling' {
    BeforeAll {
        $rows = foreach ($length in 1024, 2048, 4096) {
            foreach ($point in @('Dense', 0.0), @('Quest', 0.5), @('Quest', 0.8), @('Quest', 0.9), @('Quest', 0.95)) {
                $row = New-ResultRow @point 1
                $logit = 12 - [Math]::Log($length) + [Math]::Log(1 - $point[1]) * 1.5
                @{ Method = 'Dense'; DecodeMethod = $row.DecodeMethod; Task = 'Niah'; Model = 'tiny'; SequenceLength = $length; RunId = "$($row.RunId)-$length"
                    DecodeSparsity = $row.DecodeSparsity; RequestedDecodeSparsity = $row.DecodeSparsity; Score = 1 / (1 + [Math]::Exp(-$logit)); SampleCount = 20 }
            }
        }
    }

    It 'finds the law that the scores follow' {
        $laws = $rows | Measure-SparsityScaling
        $whole = $laws | Where-Object { $_.HeldOut -eq 'None' -and $_.Form -eq 'Logit' }
        [Math]::Round($whole.CompressionSlope, 6) | Should -Be -1.5
        [Math]::Round($whole.LengthSlope, 6) | Should -Be -1
        $whole.PredictsBetter | Should -BeTrue
        ($laws | Where-Object HeldOut -EQ Length).HeldOutValue | Should -Be 4096, 4096
        $laws | Format-Table | Out-String -Width 160 | Should -Match 'ln\(compression\)'
    }

    It 'refuses too few runs and says how many are needed' {
        Get-ErrorId { $rows[0..4] | Measure-SparsityScaling } | Should -Be DataInsufficient
        { $rows[0..4] | Measure-SparsityScaling -ErrorAction Stop } | Should -Throw '*6 runs*'
    }
}
