BeforeAll {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    Import-SparseFrontier
    $tiny = New-TinyModel (Join-Path TestDrive: tiny)
}

Describe 'Get-SparseAttentionResult' {
    It 'reports a folder that is not there' {
        Get-ErrorId { Get-SparseAttentionResult (Join-Path TestDrive: nothing) } | Should -Be FileNotFound
        Get-ErrorId { Get-SparseAttentionResult -LiteralPath Env:PATH } | Should -Be PathNotFileSystem
    }

    It 'finds nothing in an empty folder' {
        New-Item -ItemType Directory (Join-Path TestDrive: empty) | Get-SparseAttentionResult | Should -BeNullOrEmpty
    }

    Context 'with a run' {
        BeforeAll {
            $run = Get-SmallRun $tiny (Join-Path TestDrive: results)
            $row = Invoke-SparseAttentionRun BlockSparse -Sparsity 0.5 @run
        }

        It 'gives back the row that the run emitted' {
            $read = Get-SparseAttentionResult $run.ResultPath
            $read.RunId | Should -Be $row.RunId
            $read.Score | Should -Be $row.Score
            $read.Status | Should -Be Completed
        }

        It 'filters' {
            (Get-SparseAttentionResult $run.ResultPath -Method Block* -Task Niah -SequenceLength 960 -Status Completed).RunId | Should -Be $row.RunId
            Get-SparseAttentionResult $run.ResultPath -Method Quest | Should -BeNullOrEmpty
            Get-SparseAttentionResult $run.ResultPath -After (Get-Date).AddDays(1) | Should -BeNullOrEmpty
        }

        It 'gives samples, also of a row from the pipeline' {
            $sample = $row | Get-SparseAttentionResult -Sample
            @($sample).Count | Should -Be 1
            $sample.RunId | Should -Be $row.RunId
            $sample.PromptTokens | Should -BeLessOrEqual 960
        }

        It 'survives JSON and CSV' {
            ($row | ConvertTo-Json -EnumsAsStrings | ConvertFrom-Json | Get-SparsityPareto).RunId | Should -Be $row.RunId
            ($row | ConvertTo-Csv | ConvertFrom-Csv | Get-SparsityPareto).RunId | Should -Be $row.RunId
        }
    }
}
