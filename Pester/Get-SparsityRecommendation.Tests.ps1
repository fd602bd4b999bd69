BeforeAll {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    Import-SparseFrontier
}

Describe 'Get-SparsityRecommendation' {
    BeforeAll {
        $folder = Join-Path $TestDrive advice
        $small = @{ Model = 'frontier-1m'; Task = 'Niah'; ShortInstructions = $true; SampleCount = 8 }
        $null = 800, 960 | ForEach-Object { Invoke-SparseAttentionRun Dense, Quest -SequenceLength $_ -Sparsity 0.3 -ResultPath $folder @small }
        $rows = Get-SparseAttentionResult $folder
        $kernels = foreach ($length in 512, 2048) { foreach ($sparsity in 0.2, 0.4) { "{'Phase':'Decode','Method':'Quest','SequenceLength':$length,'Sparsity':$sparsity,'SpeedUp':2,'Device':'cpu'}" | ConvertFrom-Json } }
    }

    It 'advises a schedule that a run takes back' {
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
        $advice = $rows | Get-SparsityRecommendation -SequenceLength 960 -MaximumDrop 0.05
        $advice.DecodeMethod | Should -Be Dense
        $advice.Reason | Should -Match 'about \d+ samples'
        $advice | Out-String -Width 200 | Should -Match 'loss below 0.05'
    }

    It 'interpolates between lengths and does not go beyond them' {
        $advice = $rows | Get-SparsityRecommendation -SequenceLength 880 -MaximumDrop 0.5 -KernelMeasurement $kernels
        $advice.IsInterpolated | Should -BeTrue
        $advice.Sparsity | Should -Be 0.3
        $advice.Loss | Should -BeLessOrEqual $advice.LossHigh
        $advice.Reason | Should -Match '^Interpolated: Quest at 0.30 is shown'
        $rows | Get-SparsityRecommendation -SequenceLength 2048 -MaximumDrop 0.5 -WarningVariable said -WarningAction SilentlyContinue | Should -BeNullOrEmpty
        $said | Should -Match 'nothing is extrapolated'
    }

    It 'says that an untrained model cannot lose anything' {
        $tiny = @{ Model = (New-TinyModel (Join-Path $TestDrive tiny)); Task = 'Niah'; SequenceLength = 800; ShortInstructions = $true; TaskParameter = @{ Queries = 1 }; MaximumOutputTokens = 4 }
        $advice = Invoke-SparseAttentionRun Dense, Quest -Sparsity 0.3 -SampleCount 8 -ResultPath (Join-Path $TestDrive floor) @tiny | Get-SparsityRecommendation -MaximumDrop 0.5
        $advice.DecodeMethod | Should -Be Dense
        $advice.Reason | Should -Match 'above chance'
    }

    It 'takes kernels from JSON' {
        ($rows | Get-SparsityRecommendation -SequenceLength 960 -MaximumDrop 0.5 -KernelMeasurement $kernels).SpeedUp | Should -BeGreaterThan 1.99
    }

    It 'advises from the shipped summary where nothing is piped, and says so' {
        $advice = @(Get-SparsityRecommendation -Model frontier-3m -Task StoryMultiHop -SequenceLength 2048 -MaximumDrop 0.1 -WarningVariable said) | Where-Object MaximumOutputTokens -eq 1024
        $said | Should -BeNullOrEmpty
        $advice.Phase | Should -Be Prefill, Decode
        $advice.Source | Should -Match '^the shipped summary: frontier-3m, \d+ samples a run, seed 43, computed on .+ by version '
        $advice[0].Reason | Should -Match 'From the shipped summary: '
        $advice[0].Device | Should -Be cpu
        ($rows | Get-SparsityRecommendation -MaximumDrop 0.5).Source | Should -Be '', ''
    }

    It 'refuses what the summary does not hold' {
        Get-ErrorId { Get-SparsityRecommendation -Model Qwen2.5-7B } | Should -Be DataInsufficient
        Get-ErrorId { Get-SparsityRecommendation -Task Squad } | Should -Be DataInsufficient
        Get-SparsityRecommendation -Model frontier-3m -Task StoryMultiHop -SequenceLength 65536 -WarningVariable said -WarningAction SilentlyContinue | Should -BeNullOrEmpty
        $said | Should -Match 'nothing is extrapolated'
    }

    It 'does not take the summary for results that were not found' {
        Get-ErrorId { @() | Get-SparsityRecommendation } | Should -Be DataInsufficient
    }
}
