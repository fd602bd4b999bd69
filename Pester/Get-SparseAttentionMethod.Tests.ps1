BeforeAll {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    Import-SparseFrontier
}

Describe 'Get-SparseAttentionMethod' {
    It 'lists methods of both phases without the controls' {
        $methods = Get-SparseAttentionMethod
        $methods.Name | Should -Contain 'VerticalSlash'
        $methods.Name | Should -Contain 'Quest'
        $methods.Name | Should -Not -Contain 'Random'
        $methods | Should -BeOfType SparseFrontier.SparseAttentionMethod
    }

    It 'lists controls when asked' {
        (Get-SparseAttentionMethod -IncludeControl).Name | Should -Contain 'OracleTopK'
        (Get-SparseAttentionMethod Random).Name | Should -Contain 'Random'
    }

    It 'takes wildcards in any case' {
        (Get-SparseAttentionMethod *kv).Name | Sort-Object | Should -Be AdaSnapKV, SnapKV
    }

    It 'narrows by phase' {
        (Get-SparseAttentionMethod -Phase Decode).Phase | Sort-Object -Unique | Should -Be Decode
    }

    It 'takes names and objects from the pipeline' {
        ('quest', 'SnapKV' | Get-SparseAttentionMethod).Name | Should -Be Quest, SnapKV
        (Get-SparseAttentionMethod Quest | Get-SparseAttentionMethod).Name | Should -Be Quest
        ([pscustomobject]@{ Method = 'Quest' } | Get-SparseAttentionMethod).Name | Should -Be Quest
    }

    It 'reports a name that matches nothing and lists the nearest' {
        Get-ErrorId { Get-SparseAttentionMethod Qest } | Should -Be MethodNotFound
        { Get-SparseAttentionMethod Qest -ErrorAction Stop } | Should -Throw '*Quest*'
    }

    It 'is silent about a wildcard that matches nothing' {
        Get-ErrorId { Get-SparseAttentionMethod nothing* } | Should -BeNullOrEmpty
    }

    It 'gives the error a category, a target and advice' {
        Get-SparseAttentionMethod Qest -ErrorVariable failure -ErrorAction SilentlyContinue
        $failure[0].CategoryInfo.Category | Should -Be ObjectNotFound
        $failure[0].TargetObject | Should -Be Qest
        $failure[0].ErrorDetails.RecommendedAction | Should -Match 'Get-SparseAttentionMethod'
        $failure[0].FullyQualifiedErrorId | Should -Be 'MethodNotFound,SparseFrontier.Commands.GetSparseAttentionMethodCommand'
    }

    It 'completes names with tooltips' {
        $completion = Get-Completion 'Get-SparseAttentionMethod Vert'
        $completion.CompletionText | Should -Be VerticalSlash
        $completion.ToolTip | Should -Match 'Prefill'
    }
}
