BeforeAll {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    Import-SparseFrontier
    $script:run = Get-SmallRun (New-TinyModel "$TestDrive/tiny")
}

Describe 'Remove-SparseAttentionResult' {
    BeforeEach {
        $script:results = "$TestDrive/$([guid]::NewGuid())"
        $script:rows = Invoke-SparseAttentionRun Dense, Quest -Sparsity 0.5 -ResultPath $results @run
    }

    It 'removes nothing under -WhatIf' {
        Get-SparseAttentionResult $results | Remove-SparseAttentionResult -WhatIf
        (Get-SparseAttentionResult $results).Count | Should -Be 2
    }

    It 'removes the rows of the pipeline wherever they lie, silently unless -PassThru' {
        Get-SparseAttentionResult $results -DecodeMethod Quest | Remove-SparseAttentionResult -Confirm:$false | Should -BeNullOrEmpty
        (Get-SparseAttentionResult $results).DecodeMethod | Should -Be Dense
        $gone = Get-SparseAttentionResult $results | ConvertTo-Csv | ConvertFrom-Csv | Remove-SparseAttentionResult -Confirm:$false -PassThru
        $gone.RunId | Should -Be ($rows | Where-Object DecodeMethod -EQ Dense).RunId
        Get-ChildItem $results -Force | Should -BeNullOrEmpty
    }

    It 'removes by id in a folder, with wildcards' {
        $id = $rows[0].RunId
        Remove-SparseAttentionResult "$($id.Substring(0, 12))*" -ResultPath $results -Confirm:$false
        (Get-SparseAttentionResult $results).RunId | Should -Be $rows[1].RunId
        Get-ErrorId { Remove-SparseAttentionResult $id -ResultPath $results -Confirm:$false } | Should -Be RunNotFound
    }

    It 'removes nothing from a file of rows' {
        $rows | Export-SparseAttentionResult "$TestDrive/kept.jsonl" -Force
        Get-ErrorId { Get-SparseAttentionResult "$TestDrive/kept.jsonl" | Select-Object -First 1 | Remove-SparseAttentionResult -Confirm:$false } | Should -Be ParameterInvalid
        (Get-SparseAttentionResult "$TestDrive/kept.jsonl").Count | Should -Be 2
    }

    It 'runs again what was removed' {
        $rows | Remove-SparseAttentionResult -Confirm:$false
        (Invoke-SparseAttentionRun Dense, Quest -Sparsity 0.5 -ResultPath $results @run).Score | Should -Be $rows.Score
    }
}
