BeforeAll {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    Import-SparseFrontier
    $run = Get-SmallRun (New-TinyModel "$TestDrive/tiny") "$TestDrive/results"
    $run.SampleCount = 3
    $script:rows = Invoke-SparseAttentionRun Dense, Quest -Sparsity 0.5 @run
    $script:file = "$TestDrive/grid.jsonl.gz"
}

Describe 'Export-SparseAttentionResult' {
    It 'writes a file that is read like a folder' {
        $rows | Export-SparseAttentionResult $file
        $read = Get-SparseAttentionResult $file
        @($read).Count | Should -Be 2
        $read.Score | Should -Be ($rows | Sort-Object { $_.DecodeMethod }).Score
        @(Get-SparseAttentionResult $file -Sample).Count | Should -Be 6
        ($read | Test-SparsityClaim 'Quest not below Dense' -Margin 0.5).Test | Should -Be Paired
    }

    It 'overwrites only when told so' {
        Get-ErrorId { $rows | Export-SparseAttentionResult $file } | Should -Be OutputFileExists
        ($rows | Export-SparseAttentionResult $file -Force -PassThru).Name | Should -Be grid.jsonl.gz
    }

    It 'writes nothing with -WhatIf, and nothing of another name' {
        $rows | Export-SparseAttentionResult "$TestDrive/none.jsonl" -WhatIf
        Test-Path "$TestDrive/none.jsonl" | Should -BeFalse
        Get-ErrorId { $rows | Export-SparseAttentionResult "$TestDrive/rows.csv" } | Should -Be ParameterInvalid
    }
}
