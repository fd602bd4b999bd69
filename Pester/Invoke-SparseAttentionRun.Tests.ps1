BeforeAll {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    Import-SparseFrontier
    $tiny = New-TinyModel (Join-Path TestDrive: tiny)
}

Describe 'Invoke-SparseAttentionRun' {
    It 'reports what is wrong: <id>' -ForEach @(
        @{ id = 'MethodNotFound'; arguments = @{ Method = 'Qest' } }
        @{ id = 'TaskNotFound'; arguments = @{ Task = 'Niha' } }
        @{ id = 'SparsityOutOfRange'; arguments = @{ Method = 'Quest'; Sparsity = 1.5 } }
        @{ id = 'ModelNotFound'; arguments = @{ Model = './no/such/model' } }
        @{ id = 'PathNotFileSystem'; arguments = @{ TaskDataPath = 'Env:PATH' } }
        @{ id = 'PathNotFileSystem'; arguments = @{ TaskDataPath = "a`0b" } }
        @{ id = 'ModelNotFound'; arguments = @{ Model = "a`0b" } }
        @{ id = 'ModelNotFound'; arguments = @{ Model = 'y' * 5000 } }
        @{ id = 'ParameterInvalid'; arguments = @{ Method = $null } }
        @{ id = 'ParameterInvalid'; arguments = @{ Method = @() } }
        @{ id = 'ParameterInvalid'; arguments = @{ Model = $env:SPARSEFRONTIER_NOT_SET } }
        @{ id = 'ParameterInvalid'; arguments = @{ Task = '' } }
    ) {
        Get-ErrorId { Invoke-SparseAttentionRun @arguments -ResultPath (Join-Path TestDrive: wrong) } | Should -Be $id
        Join-Path TestDrive: wrong | Should -Not -Exist
    }

    It 'takes the empty model of a specification for the default' {
        (New-SparseAttentionSweep Dense -Model (New-SparseAttentionSweep Dense).Model).Model | Should -BeNullOrEmpty
    }

    It 'warns once of runs that a length cannot hold, with the reason' {
        $run = Get-SmallRun $tiny (Join-Path TestDrive: infeasible)
        $rows = Invoke-SparseAttentionRun SnapKV -Sparsity 0.98, 0.99 @run -WarningVariable warnings -WarningAction SilentlyContinue
        $rows.Status | Should -Be Infeasible, Infeasible
        $warnings | Should -HaveCount 1
        $warnings[0].Message | Should -Match '^2 of the runs are infeasible and computed nothing, as their Message says; the first: SnapKV at \d+ tokens reaches sparsity 0\.\d+ at most'
    }

    It 'only says what it would do with -WhatIf' {
        $run = Get-SmallRun $tiny (Join-Path TestDrive: whatif)
        Invoke-SparseAttentionRun Quest -Sparsity 0.5, 0.9 @run -WhatIf | Should -BeNullOrEmpty
        $run.ResultPath | Should -Not -Exist
    }

    Context 'on the embedded model' {
        BeforeAll {
            $run = Get-SmallRun $tiny (Join-Path TestDrive: results)
            $rows = @(Invoke-SparseAttentionRun Dense, BlockSparse -Sparsity 0.5 @run)
        }

        It 'emits a row for each run' {
            $rows.Count | Should -Be 2
            $rows | Should -BeOfType SparseFrontier.SparseAttentionResult
            $rows.Status | Sort-Object -Unique | Should -Be Completed
            $rows[1].PrefillSparsity | Should -BeGreaterThan 0.4
        }

        It 'shows progress of the sweep, the run and the sample, with the time that is left' {
            $shell = [powershell]::Create().AddScript({
                param($module, $tiny, $folder)
                Import-Module $module
                Invoke-SparseAttentionRun Dense, BlockSparse, Quest -Sparsity 0.5 -Task Niah -TaskParameter 'Queries=1' -ShortInstructions -SequenceLength 960 -MaximumOutputTokens 48 -SampleCount 6 -Model $tiny -ResultPath $folder
            }).AddArgument((Join-Path (Get-RepositoryRoot) SparseFrontier.psd1)).AddArgument($tiny).AddArgument((Join-Path $TestDrive progress))
            $null = $shell.Invoke()
            $records = $shell.Streams.Progress.ReadAll()
            $shell.Dispose()
            $parents = @{ 1 = -1; 2 = 1; 3 = 2 }
            $records.ActivityId | Sort-Object -Unique | Should -Be 1, 2, 3
            foreach ($record in $records) { $record.ParentActivityId | Should -Be $parents[$record.ActivityId] }
            $left = $records | Where-Object { $_.ActivityId -eq 1 -and $_.SecondsRemaining -ge 0 }
            $left | Should -Not -BeNullOrEmpty
            $left[-1].SecondsRemaining | Should -BeLessThan 3600
            ($records | Where-Object ActivityId -EQ 1)[-1].RecordType | Should -Be Completed
        }

        It 'returns finished runs at once' {
            $again = Invoke-SparseAttentionRun Dense, BlockSparse -Sparsity 0.5 @run
            $again.RunId | Should -Be $rows.RunId
            $again.StartedAt | Should -Be $rows.StartedAt
        }

        It 'runs specifications and rows of a table alike' {
            $sweep = Get-SmallRun $tiny
            $specification = New-SparseAttentionSweep BlockSparse -Sparsity 0.5 @sweep
            ($specification | Invoke-SparseAttentionRun -ResultPath $run.ResultPath).RunId | Should -Be $rows[1].RunId
            $json = $specification | ConvertTo-Json | ConvertFrom-Json
            ($json | Invoke-SparseAttentionRun -ResultPath $run.ResultPath).RunId | Should -Be $rows[1].RunId
            $csv = 'Method,Task,Sparsity,SequenceLength,SampleCount,MaximumOutputTokens,ShortInstructions,TaskParameters,Model',
                "BlockSparse,Niah,0.5,960,1,4,True,Queries=1,$tiny" | ConvertFrom-Csv
            ($csv | Invoke-SparseAttentionRun -ResultPath $run.ResultPath).RunId | Should -Be $rows[1].RunId
        }

        It 'runs what a run''s folder says' {
            $again = Get-Content "$($rows[1].Path)/spec.json" | ConvertFrom-Json | Invoke-SparseAttentionRun -ResultPath $run.ResultPath
            $again.RunId | Should -Be $rows[1].RunId
        }

        It 'refuses results, whose sparsities were measured, in any form' {
            Get-ErrorId { $rows[1] | Invoke-SparseAttentionRun -SampleCount 9 -ResultPath $run.ResultPath } | Should -Be RunSpecificationInvalid
            Get-ErrorId { $rows[1] | ConvertTo-Csv | ConvertFrom-Csv | Invoke-SparseAttentionRun -ResultPath $run.ResultPath } | Should -Be RunSpecificationInvalid
            Get-ErrorId { $rows | Get-SparsityPareto | Select-Object -First 1 | Invoke-SparseAttentionRun -ResultPath $run.ResultPath } | Should -Be RunSpecificationInvalid
            $again = $rows | ForEach-Object { Get-Content (Join-Path $_.Path spec.json) -Raw | ConvertFrom-Json } | Invoke-SparseAttentionRun -ResultPath $run.ResultPath
            $again.RunId | Should -Be $rows.RunId
        }

        It 'reads the tables that Export-Csv writes in <culture>' -ForEach @{ culture = 'de-DE' }, @{ culture = 'en-GB' } {
            $before = [cultureinfo]::CurrentCulture
            try {
                [cultureinfo]::CurrentCulture = $culture
                $sweep = Get-SmallRun $tiny
                New-SparseAttentionSweep BlockSparse -Sparsity 0.5 @sweep | Export-Csv "$TestDrive/sweep.csv"
                (Import-Csv "$TestDrive/sweep.csv" | Invoke-SparseAttentionRun -ResultPath $run.ResultPath).RunId | Should -Be $rows[1].RunId
                $rows | Export-Csv "$TestDrive/rows.csv"
                $point = Import-Csv "$TestDrive/rows.csv" | Get-SparsityPareto | Where-Object RunId -EQ $rows[1].RunId
                $point.PrefillSparsity | Should -Be $rows[1].PrefillSparsity
            }
            finally { [cultureinfo]::CurrentCulture = $before }
        }

        It 'uses results in the current location, not in the process directory' {
            Push-Location (New-Item -ItemType Directory (Join-Path TestDrive: here))
            try {
                $here = Get-SmallRun $tiny
                $null = Invoke-SparseAttentionRun Dense @here
                Join-Path TestDrive: here results | Should -Exist
                @(Get-SparseAttentionResult).Count | Should -Be 1
            }
            finally { Pop-Location }
        }

        It 'stops when the consumer has enough' {
            $few = Get-SmallRun $tiny (Join-Path TestDrive: few)
            $first = Invoke-SparseAttentionRun Dense -Seed 1, 2, 3, 4 @few | Select-Object -First 1
            $first.Status | Should -Be Completed
            @(Get-SparseAttentionResult $few.ResultPath -Status Completed).Count | Should -BeLessThan 4
        }

        It 'stops within half a second on Ctrl-C and goes on from there' {
            $stopped = Get-SmallRun $tiny (Join-Path TestDrive: stopped)
            $stopped.SampleCount = 50
            $stopped.ResultPath = (Convert-Path TestDrive:/) + 'stopped'
            $shell = [powershell]::Create()
            $null = $shell.AddScript({ param($manifest, $arguments) Import-Module $manifest; Invoke-SparseAttentionRun Dense @arguments }).AddArgument(
                (Join-Path (Get-RepositoryRoot) 'SparseFrontier.psd1')).AddArgument($stopped)
            $null = $shell.BeginInvoke()
            $deadline = (Get-Date).AddSeconds(60)
            while (-not (Get-ChildItem $stopped.ResultPath -Recurse -Filter samples*.jsonl -ErrorAction Ignore | Where-Object Length) -and (Get-Date) -lt $deadline) { Start-Sleep -Milliseconds 50 }
            $watch = [Diagnostics.Stopwatch]::StartNew()
            $shell.Stop()
            $watch.ElapsedMilliseconds | Should -BeLessThan 1000
            $partial = Get-SparseAttentionResult $stopped.ResultPath
            $partial.SampleCount | Should -BeGreaterThan 0
            $partial.SampleCount | Should -BeLessThan 50
            $stopped.SampleCount = $partial.SampleCount + 1
            $resumed = Invoke-SparseAttentionRun Dense @stopped
            $resumed.RunId | Should -Be $partial.RunId
            $resumed.Status | Should -Be Completed
        }
    }

    It 'completes models and devices' {
        (Get-Completion 'Invoke-SparseAttentionRun -Device c').CompletionText | Should -Contain cpu
    }
}
