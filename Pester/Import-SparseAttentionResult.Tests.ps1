BeforeAll {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    Import-SparseFrontier
}

Describe 'Import-SparseAttentionResult' {
    BeforeAll {
        Push-Location TestDrive:/
        New-ForeignResult
        $quiet = @{ WarningAction = 'SilentlyContinue'; ResultPath = 'imported' }
    }

    AfterAll { Pop-Location }

    It 'imports folders of kvpress as runs that analyses take' {
        $rows = Import-SparseAttentionResult kvpress @quiet
        $rows.DecodeMethod | Sort-Object | Should -Be Dense, SnapKV
        ($rows | Where-Object DecodeMethod -EQ SnapKV).DecodeSparsity | Should -BeNullOrEmpty
        ($rows | Get-SparsityPareto -WarningAction SilentlyContinue).Cost | Should -Be 0.5, 1
        $rows | Where-Object DecodeMethod -EQ SnapKV | Compare-SparseAttentionResult ($rows | Where-Object DecodeMethod -EQ Dense) -Property Model | Should -HaveCount 1
        (Get-SparseAttentionResult imported -Sample).Count | Should -Be 16
    }

    It 'takes files and folders from the pipeline' {
        (Get-ChildItem kvpress/results -Directory | Import-SparseAttentionResult @quiet).Count | Should -Be 2
        (Get-ChildItem kvpress -Recurse -Filter metrics.json | Import-SparseAttentionResult @quiet).Count | Should -Be 2
    }

    It 'asks for the method where the files do not say it' {
        Get-ErrorId { Import-SparseAttentionResult harness/results.json @quiet } | Should -Be ParameterInvalid
        $row = Import-SparseAttentionResult harness/results.json -Method Quest -Sparsity 0.8 -SequenceLength 4096 @quiet
        $row.DecodeMethod, $row.NominalDecodeSparsity, $row.SequenceLength, $row.Score | Should -Be Quest, 0.8, 4096, 0.5
    }

    It 'reads what the paper''s own code left' {
        $row = Import-SparseAttentionResult experiments -Format SparseFrontierReference @quiet
        $row.Task, $row.SequenceLength, $row.SampleCount, $row.ReferenceScoring | Should -Be VariableTracking, 8192, 100, $true
    }

    It 'says what is missing, and writes nothing under -WhatIf' {
        $null = Import-SparseAttentionResult kvpress -ResultPath said -WarningVariable said -WarningAction SilentlyContinue
        "$said" | Should -Match 'no measured sparsity'
        Import-SparseAttentionResult kvpress -ResultPath not -WhatIf | Should -BeNullOrEmpty
        'not' | Should -Not -Exist
        Get-ErrorId { Import-SparseAttentionResult nowhere @quiet } | Should -Be FileNotFound
    }
}
