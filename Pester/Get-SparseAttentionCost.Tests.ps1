BeforeAll {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    Import-SparseFrontier
}

Describe 'Get-SparseAttentionCost' {
    It 'computes the paper''s figure' {
        $cost = Get-SparseAttentionCost Qwen2.5-14B Dense -SequenceLength 131072 -BatchSize 8 -Formula Figure
        $cost.Phase | Should -Be Prefill, Decode
        [math]::Round($cost[0].AttentionShare, 2) | Should -Be 0.86
        [math]::Round($cost[1].AttentionShare, 2) | Should -Be 0.88
    }

    It 'takes models from the pipeline, by name and as objects' {
        ('Qwen2.5-7B', 'Llama-3.1-8B' | Get-SparseAttentionCost -Method Quest).Model | Should -Be Qwen2.5-7B, Llama-3.1-8B
        $golden = 'TestDrive:/qwen3-hub-float16'
        Expand-GoldenCheckpoint $golden
        (Get-SparseAttentionModel $golden | Get-SparseAttentionCost -Method Quest, SnapKV).Count | Should -Be 2
        (Get-SparseAttentionCost (Join-Path $golden config.json) Dense)[0].Model | Should -Be qwen3-hub-float16
    }

    It 'takes parameters of a method, and its sparsity from them' {
        $cost = Get-SparseAttentionCost Qwen2.5-7B @{ Name = 'Quest'; TokenBudget = 1024 } -SequenceLength 16384
        $cost.Sparsity | Should -BeGreaterThan 0.93
        $cost.Parameters | Should -Match 'TokenBudget=1024'
    }

    It 'shows a table for each phase' {
        $text = Get-SparseAttentionCost Qwen2.5-7B -SequenceLength 16384 | Format-Table | Out-String -Width 120
        $text | Should -Match 'Prefill of Qwen2.5-7B at 16384 tokens, batch 1: FLOPs, exact'
        $text | Should -Match 'Decode of Qwen2.5-7B at 16384 tokens, batch 1: bytes a step, exact'
        $text | Should -Match 'Quest\s+0.90'
    }

    It 'reports what it does not know' {
        Get-ErrorId { Get-SparseAttentionCost Qwen9 } | Should -Be ModelNotFound
        Get-ErrorId { Get-SparseAttentionCost Qwen2.5-7B Quest -Sparsity 1 } | Should -Be SparsityOutOfRange
        Get-ErrorId { Get-SparseAttentionCost Qwen2.5-7B -SequenceLength 0 } | Should -Be SequenceLengthInvalid
    }

    It 'completes published models' {
        (Get-Completion 'Get-SparseAttentionCost Qwen2.5-').CompletionText | Should -Contain 'Qwen2.5-72B'
    }
}
