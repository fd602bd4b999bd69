BeforeAll {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    Import-SparseFrontier
}

Describe 'Get-SparsityRecommendation' {
    BeforeAll {
        $folder = Join-Path $TestDrive advice
        $model = New-TinyModel (Join-Path $TestDrive tiny)
        $small = @{ Model = $model; Task = 'Niah'; ShortInstructions = $true; TaskParameter = @{ Queries = 1 }; MaximumOutputTokens = 4; SampleCount = 8 }
        $null = 800, 960 | ForEach-Object { Invoke-SparseAttentionRun Dense, Quest -SequenceLength $_ -Sparsity 0.3 -ResultPath $folder @small }
        $rows = Get-SparseAttentionResult $folder
        $kernels = 512, 2048 | ForEach-Object { "{'Phase':'Decode','Method':'Quest','SequenceLength':$_,'Sparsity':0.3,'SpeedUp':2,'Device':'cpu'}" } | ConvertFrom-Json
    }

    It 'advises a schedule that a run takes back' {
        # An untrained model answers nothing, so nothing is lost.
        $advice = $rows | Get-SparsityRecommendation -MaximumDrop 0.5 -KernelMeasurement $kernels
        $advice.SequenceLength | Should -Be 800, 960
        $advice.DecodeMethod | Should -Be Quest, Quest
        $advice[0].BudgetSchedule | Should -Match '^length:0-800 x1 \| length:801-960 x1\.\d+ \| length:961- dense$'
        $again = $advice | Invoke-SparseAttentionRun -SampleCount 2 -ResultPath (Join-Path $TestDrive again)
        foreach ($i in 0, 1) {
            $again[$i].BudgetSchedule | Should -Be $advice[$i].BudgetSchedule
            [Math]::Abs($again[$i].DecodeSparsity - $advice[$i].ToleratedSparsity) | Should -BeLessThan 0.03
        }
    }

    It 'advises dense where nothing is shown, and says why' {
        $advice = $rows | Get-SparsityRecommendation -SequenceLength 960 -MaximumDrop 0.02
        $advice.DecodeMethod | Should -Be Dense
        $advice.Reason | Should -Match 'about \d+ samples'
        $advice | Format-Table | Out-String -Width 200 | Should -Match 'loss below 0.02'
    }

    It 'takes kernels from JSON' {
        ($rows | Get-SparsityRecommendation -SequenceLength 960 -MaximumDrop 0.5 -KernelMeasurement $kernels).SpeedUp | Should -BeGreaterThan 1.99
    }

    It 'says that it needs results' {
        Get-ErrorId { Get-SparsityRecommendation -Task Niah } | Should -Be DataInsufficient
    }
}
