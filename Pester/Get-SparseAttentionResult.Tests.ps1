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

    It 'refuses a path that a variable does not hold' {
        Get-ErrorId { Get-SparseAttentionResult $null } | Should -Be ParameterArgumentValidationError
        Get-ErrorId { Get-SparseAttentionResult '' } | Should -Be ParameterArgumentValidationError
    }

    It 'says so where the location is no folder' {
        Push-Location Env:
        try { Get-ErrorId { Get-SparseAttentionResult } | Should -Be PathNotFileSystem }
        finally { Pop-Location }
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

        It 'completes run ids from the folder that was typed, by whatever path, else from the default one' {
            foreach ($typed in '$($run.ResultPath)', '-LiteralPath $($run.ResultPath)', 'TestDrive:/res*') {
                $line = "Get-SparseAttentionResult $($ExecutionContext.InvokeCommand.ExpandString($typed)) -RunId $($row.RunId.Substring(0, 3))"
                $completion = Get-Completion $line
                $completion.CompletionText | Should -Be $row.RunId -Because $line
                $completion.ToolTip | Should -Match '^BlockSparse at sparsity 0.5, Niah at 960 tokens on tiny, seed 43: score \d\.\d{3} of 1 sample$'
            }

            Push-Location TestDrive:/
            try { (Get-Completion 'Remove-SparseAttentionResult ').CompletionText | Should -Be $row.RunId }
            finally { Pop-Location }
            Get-Completion 'Get-SparseAttentionResult TestDrive:/none -RunId ' | Should -BeNullOrEmpty
        }

        It 'takes a folder with brackets in its name as it is where nothing matches the pattern, and completes it' {
            $brackets = Join-Path $TestDrive 'brackets [1] ü'
            $null = [System.IO.Directory]::CreateDirectory($brackets)
            Copy-Item $row.Path -Destination $brackets -Recurse
            (Get-SparseAttentionResult $brackets).RunId | Should -Be $row.RunId
            (Get-Completion "Get-SparseAttentionResult -LiteralPath '$brackets' -RunId ").CompletionText | Should -Be $row.RunId
            Push-Location -LiteralPath $TestDrive
            try {
                (Get-Completion 'Get-SparseAttentionResult ./brack').CompletionText | Should -Be "'./brackets ``[1``] ü'"
                (Get-Completion 'Invoke-SparseAttentionRun -ResultPath ./brack').CompletionText | Should -Be "'./brackets [1] ü'"
                (Get-Completion 'Get-SparseAttentionJob -ResultPath "./brack').CompletionText | Should -Be '"./brackets `[1`] ü"'
            }
            finally { Pop-Location }
        }

        It 'completes run ids in a folder of ten thousand in less than two seconds' {
            # Folders without files are as many names to go through, and none is a run.
            $many = "$TestDrive/many"
            foreach ($i in 1..10000) { $null = [System.IO.Directory]::CreateDirectory(('{0}/20260101T000000Z-quest-niah-960-{1:x8}' -f $many, $i)) }
            Copy-Item $row.Path $many -Recurse
            $null = Get-Completion "Get-SparseAttentionResult $($run.ResultPath) -RunId "
            $watch = [Diagnostics.Stopwatch]::StartNew()
            (Get-Completion "Get-SparseAttentionResult $many -RunId ").CompletionText | Should -Be $row.RunId
            $watch.Elapsed.TotalSeconds | Should -BeLessThan 2
        }

        It 'survives JSON and CSV' {
            ($row | ConvertTo-Json -EnumsAsStrings | ConvertFrom-Json | Get-SparsityPareto).RunId | Should -Be $row.RunId
            ($row | ConvertTo-Csv | ConvertFrom-Csv | Get-SparsityPareto).RunId | Should -Be $row.RunId
        }
    }
}
