BeforeAll {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    Import-SparseFrontier
}

Describe 'Get-SparseAttentionTask' {
    It 'lists the nine tasks' {
        # Tasks that other files register stay for the process.
        (Get-SparseAttentionTask | Where-Object Category -NE User).Name | Should -Be Niah, VariableTracking, CommonWords, StoryRetrieval, StoryMultiHop, StoryFiltering, Squad, Quality, Toefl
    }

    It 'narrows by category' {
        (Get-SparseAttentionTask -Category Retrieval).Name | Should -Be Niah, StoryRetrieval
        (Get-SparseAttentionTask -Category Q*).Count | Should -Be 3
    }

    It 'takes names from the pipeline' {
        ('niah', 'Story*' | Get-SparseAttentionTask).Count | Should -Be 4
    }

    It 'reports a name that matches nothing' {
        Get-ErrorId { Get-SparseAttentionTask Niha } | Should -Be TaskNotFound
    }

    It 'completes names' {
        (Get-Completion 'Get-SparseAttentionTask Story').CompletionText.Count | Should -Be 3
    }
}
