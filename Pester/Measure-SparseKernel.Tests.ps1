BeforeAll {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    Import-SparseFrontier
    $script:small = @{ SequenceLength = 256, 512; QueryHeadCount = 2; KvHeadCount = 1; IterationCount = 1 }
}

Describe 'Measure-SparseKernel' {
    It 'gives dense attention and the method at every length' {
        $rows = Measure-SparseKernel BlockSparse -Sparsity 0.5 @small
        $rows | Should -BeOfType SparseFrontier.KernelMeasurement
        $rows | ForEach-Object { "$($_.Method) $($_.SequenceLength)" } | Should -Be 'Dense 256', 'Dense 512', 'BlockSparse 256', 'BlockSparse 512'
        $rows | Out-String -Width 120 | Should -Match '(?m) Rate +Roof +Memory.*[\s\S]* [\d.]+ GFLOP/s +\d'
        $rows.AttentionMilliseconds | ForEach-Object { $_ | Should -BeGreaterThan 0 }
        $rows[2].Sparsity | Should -BeGreaterThan 0.4
        $rows[2].IndexOperations | Should -BeGreaterThan 0
        $rows[0].IndexOperations | Should -BeNullOrEmpty
    }

    It 'says why a sparsity cannot be held' {
        $row = Measure-SparseKernel VerticalSlash -Sparsity 0.99 @small | Where-Object Method -eq VerticalSlash | Select-Object -First 1
        $row.Message | Should -Match 'sparsity'
        $row.TotalMilliseconds | Should -BeNullOrEmpty
    }

    It 'takes methods from the pipeline and survives JSON' {
        $rows = Get-SparseAttentionMethod BlockSparse | Measure-SparseKernel -Sparsity 0.5 @small
        $back = $rows | ConvertTo-Json | ConvertFrom-Json
        $back.Method | Should -Be $rows.Method
    }

    It 'reports a method that is not there, and sizes that do not go together' {
        Get-ErrorId { Measure-SparseKernel NoSuchMethod @small } | Should -Be MethodNotFound
        Get-ErrorId { Measure-SparseKernel -QueryHeadCount 3 -KvHeadCount 2 } | Should -Be ParameterInvalid
        Get-ErrorId { Measure-SparseKernel -Sparsity 1.5 } | Should -Be SparsityOutOfRange
    }
}
