BeforeAll {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    Import-SparseFrontier
    $tiny = New-TinyModel (Join-Path TestDrive: tiny)
    $small = Get-SmallRun $tiny
}

Describe 'Get-SparseAttentionPlan' {
    It 'plans a grid, specifications and rows of a table alike' {
        $plan = Get-SparseAttentionPlan Quest, BlockSparse -Sparsity 0.5 @small
        $plan | Should -BeOfType SparseFrontier.SparseAttentionPlan
        $plan | Should -BeOfType SparseFrontier.RunSpecification
        $again = New-SparseAttentionSweep Quest, BlockSparse -Sparsity 0.5 @small | Get-SparseAttentionPlan
        $again.PrefillOperations | Should -Be $plan.PrefillOperations
        $json = New-SparseAttentionSweep Quest, BlockSparse -Sparsity 0.5 @small | ConvertTo-Json | ConvertFrom-Json | Get-SparseAttentionPlan
        $json.BytesRead | Should -Be $plan.BytesRead
    }

    It 'finds shared prefills and what a length cannot hold' {
        $plan = Get-SparseAttentionPlan Quest, SnapKV -Sparsity 0.5, 0.99 @small
        $plan.Count | Should -Be 4
        @($plan | Where-Object -Not IsFeasible).DecodeMethod | Should -Contain SnapKV
        ($plan | Where-Object IsFeasible).PrefillGroup | Sort-Object -Unique | Should -Be 1
    }

    It 'is filtered and run' {
        $rows = Get-SparseAttentionPlan Quest, SnapKV -Sparsity 0.5, 0.99 @small | Where-Object IsFeasible | Select-Object -First 1 |
            Invoke-SparseAttentionRun -ResultPath (Join-Path TestDrive: results)
        $rows.Status | Should -Be Completed
    }

    It 'predicts seconds from what was measured here, or says why not' {
        $here = Join-Path TestDrive: times
        $plan = Get-SparseAttentionPlan Quest -Sparsity 0.5 -ResultPath $here @small
        $plan.PredictedSeconds | Should -BeNullOrEmpty
        $plan.PredictionMessage | Should -Match 'No run of tiny was measured on cpu of this machine'
        $row = Invoke-SparseAttentionRun Quest -Sparsity 0.5 -ResultPath $here @small
        $plan = Get-SparseAttentionPlan Quest -Sparsity 0.5 -ResultPath $here @small
        [Math]::Abs($plan.PredictedSeconds / $row.ElapsedSeconds - 1) | Should -BeLessThan 0.1
        $plan | Format-Table | Out-String -Width 200 | Should -Match 'Seconds'
        (Get-SparseAttentionPlan SnapKV -Sparsity 0.5 -ResultPath $here @small).PredictionMessage | Should -Match 'SnapKV was not measured'
    }

    It 'survives JSON and still runs' {
        $json = Get-SparseAttentionPlan Quest -Sparsity 0.5 @small | ConvertTo-Json | ConvertFrom-Json
        @($json | Invoke-SparseAttentionRun -WhatIf) | Should -BeNullOrEmpty
        (($json | Invoke-SparseAttentionRun -ResultPath (Join-Path TestDrive: json)).RequestedDecodeSparsity) | Should -Be 0.5
    }

    It 'moves specifications to another device, and only where one is named' {
        $plan = Get-SparseAttentionPlan Quest -Sparsity 0.5, 0.9 @small
        $away = ($plan | ConvertTo-Json) -replace '"cpu"', '"tpu:0"' | ConvertFrom-Json
        $typed = [SparseFrontier.RunSpecification[]] @($plan | ForEach-Object { $_.On('tpu:0') })
        $table = $away | Select-Object Method, DecodeMethod, Task, TaskParameters, Model, SequenceLength, SampleCount, MaximumOutputTokens, ShortInstructions, DecodeSparsity, Device | ConvertTo-Csv | ConvertFrom-Csv
        foreach ($rows in $away, $typed, $table) {
            Get-ErrorId { $rows | Get-SparseAttentionPlan } | Should -Be DeviceNotFound
            ($rows | Get-SparseAttentionPlan -Device cpu).Device | Should -Be cpu, cpu
        }
        (Get-SparseAttentionPlan -InputObject $typed -Device cpu).Device | Should -Be cpu, cpu
        Get-ErrorId { Get-SparseAttentionPlan -InputObject $typed } | Should -Be DeviceNotFound
        Get-ErrorId { $plan | Get-SparseAttentionPlan -Device tpu:0 } | Should -Be DeviceNotFound
    }

    It 'tells with -WhatIf what a run would cost' {
        $null = New-Item -ItemType Directory (Join-Path TestDrive: transcript) -Force
        $path = Join-Path (Convert-Path TestDrive:/) transcript/log.txt
        Start-Transcript $path | Out-Null
        try { Invoke-SparseAttentionRun Quest, SnapKV -Sparsity 0.5 @small -WhatIf }
        finally { Stop-Transcript | Out-Null }
        Get-Content $path -Raw | Should -Match 'at most 960 prompt tokens, \d+\.\d GFLOP to read them, prefill 1 shared by 2 runs'
    }

    It 'reports what is wrong and plans the rest' {
        Get-ErrorId { Get-SparseAttentionPlan Qest } | Should -Be MethodNotFound
        Get-ErrorId { New-SparseAttentionSweep Quest -Model ./no/such | Get-SparseAttentionPlan } | Should -Be ModelNotFound
    }

    It 'shows a table' {
        Get-SparseAttentionPlan Quest -Sparsity 0.5 @small | Out-String -Width 160 | Should -Match 'Quest\s+0.50\s+1\s+1\s'
    }
}
