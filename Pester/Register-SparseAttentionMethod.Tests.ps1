BeforeAll {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    Import-SparseFrontier
    $tiny = New-TinyModel (Join-Path TestDrive: tiny)
    $small = Get-SmallRun $tiny (Join-Path TestDrive: results)
}

Describe 'Register-SparseAttentionMethod' {
    It 'makes a method of a script block that works like the others' {
        $method = Register-SparseAttentionMethod Likeness -Unit Blocks { param($units) $units.Similarity() }
        $method | Should -BeOfType SparseFrontier.SparseAttentionMethod
        $method.Phase | Should -Be Prefill
        (Get-SparseAttentionMethod).Name | Should -Contain Likeness
        (Get-Completion 'Invoke-SparseAttentionRun -Method Like').CompletionText | Should -Be Likeness
        (Get-Completion 'New-SparseAttentionSweep -Method Likeness -Parameter Top').CompletionText | Should -BeLike 'TopBlocks=*'
        $rows = Invoke-SparseAttentionRun Likeness, BlockSparse -Sparsity 0.5 @small
        $rows.Status | Sort-Object -Unique | Should -Be Completed
        $rows[0].PrefillSparsity | Should -BeGreaterThan 0.45
        ($rows | Get-SparsityPareto).Count | Should -Be 2
        $rows | Out-String -Width 160 | Should -Match Likeness
    }

    It 'runs script blocks for <unit> on the pipeline''s own thread' -ForEach @{ unit = 'Blocks' }, @{ unit = 'Tokens' }, @{ unit = 'Pages' } {
        $global:threads = [System.Collections.Generic.HashSet[int]]::new()
        $null = Register-SparseAttentionMethod Threads -Unit $unit {
            param($units)
            $null = $global:threads.Add([Environment]::CurrentManagedThreadId)
            $units.Similarity()
        }
        $row = Invoke-SparseAttentionRun Threads -Sparsity 0.5 @small
        $row.Status | Should -Be Completed
        @($global:threads) | Should -Be ([Environment]::CurrentManagedThreadId)
        ($unit -eq 'Blocks' ? $row.PrefillSparsity : $row.CacheSparsity) | Should -BeGreaterThan 0.4
    }

    It 'makes another run of other code' {
        $null = Register-SparseAttentionMethod Code -Unit Blocks { param($units) $units.Similarity() }
        $first = Invoke-SparseAttentionRun Code -Sparsity 0.5 @small
        $null = Register-SparseAttentionMethod Code -Unit Blocks { param($units) 0..($units.Count - 1) }
        $second = Invoke-SparseAttentionRun Code -Sparsity 0.5 @small
        $second.RunId | Should -Not -Be $first.RunId
        $null = Register-SparseAttentionMethod Code -Unit Blocks { param($units) $units.Similarity() }
        (Invoke-SparseAttentionRun Code -Sparsity 0.5 @small).StartedAt | Should -Be $first.StartedAt
    }

    It 'takes a C# class, whose hash survives compiling it again' {
        $script = {
            param($manifest)
            Import-Module $manifest
            Add-Type -ReferencedAssemblies ([SparseFrontier.Attention.UnitScorer].Assembly.Location), System.Runtime -TypeDefinition 'public sealed class Flat : SparseFrontier.Attention.UnitScorer { public override double[] Score(SparseFrontier.Attention.ScoreContext units) { var s = new double[units.Count]; for (int i = 0; i < s.Length; i++) { s[i] = i % 3; } return s; } }'
            [SparseFrontier.CodeHash]::Of([Flat])
            (Register-SparseAttentionMethod Flat -Unit Tokens -Type ([Flat])).Phase
        }
        $manifest = Join-Path (Get-RepositoryRoot) SparseFrontier.psd1
        $hash, $phase = pwsh -NoProfile -Command $script -args $manifest
        $phase | Should -Be Decode
        $again, $null = pwsh -NoProfile -Command $script -args $manifest
        $again | Should -Be $hash
    }

    It 'reports what is wrong: <id>' -ForEach @(
        @{ id = 'NameTaken'; script = { Register-SparseAttentionMethod Quest -Unit Pages { 1 } } }
        @{ id = 'ParameterInvalid'; script = { Register-SparseAttentionMethod 'two words' -Unit Pages { 1 } } }
        @{ id = 'ParameterInvalid'; script = { Register-SparseAttentionMethod Text -Unit Pages -Type ([string]) } }
    ) {
        Get-ErrorId $script | Should -Be $id
    }

    It 'says what a script block did wrong: <what>' -ForEach @(
        @{ what = 'an exception'; code = { throw 'no idea' }; message = 'no idea' }
        @{ what = 'too few scores'; code = { param($units) 1 }; message = 'gave 1 score ' }
        @{ what = 'text'; code = { param($units) 'a', 'b' }; message = 'failed' }
    ) {
        $null = Register-SparseAttentionMethod Bad -Unit Blocks $code
        $run = $small.Clone()
        $run.ResultPath = Join-Path TestDrive: "bad$($what -replace ' ')"
        $errors = $null
        $row = Invoke-SparseAttentionRun Bad -Sparsity 0.5 @run -ErrorVariable errors -ErrorAction SilentlyContinue
        $row.Status | Should -Be Failed
        ($errors[0].FullyQualifiedErrorId -split ',')[0] | Should -Be ScoresInvalid
        "$($errors[0])" | Should -Match $message
    }

    It 'is refused with the way out where there is no PowerShell' {
        $folder = Join-Path (Convert-Path TestDrive:/) cluster
        $cli = Get-ChildItem (Join-Path (Get-RepositoryRoot) artifacts/bin/SparseFrontier.Cli) -Recurse -Filter sparsefrontier.dll | Select-Object -First 1
        $PSNativeCommandUseErrorActionPreference = $false
        $output = dotnet $cli run --method Likeness --what-if --results $folder 2>&1 | Out-String
        $output | Should -Match 'MethodNotFound.*Likeness'
    }
}

Describe 'Register-SparseAttentionTask' {
    It 'makes a task of script blocks' {
        $task = Register-SparseAttentionTask Echo -Score { param($answer, $given) 0.25 } {
            param($seed, $units)
            @{ Context = ((1..$units | ForEach-Object { "word$_" }) -join ' '); Question = 'Which word is first?'; Answer = 'word1' }
        }
        $task.Name | Should -Be Echo
        (Get-Completion 'New-SparseAttentionSweep -Task Ech').CompletionText | Should -Be Echo
        $run = $small.Clone()
        $run.Remove('TaskParameter')
        $run.Task = 'Echo'
        $row = Invoke-SparseAttentionRun Dense @run
        $row.Status | Should -Be Completed
        $row.PromptTokens | Should -BeGreaterOrEqual (0.95 * 960)
    }

    It 'takes a C# class' {
        Add-Type -ReferencedAssemblies ([SparseFrontier.Tasks.TaskContent].Assembly.Location), System.Runtime, System.Linq -TypeDefinition @'
public sealed class PesterLastWord : SparseFrontier.Tasks.TaskContent {
    public override SparseFrontier.Tasks.ContentSample Create(int seed, int units) {
        string word = "word" + seed % 1000;
        return new SparseFrontier.Tasks.ContentSample(string.Join(" ", System.Linq.Enumerable.Range(0, units)) + " " + word, "What is the last word?", word);
    }
}
public sealed class PesterNoTask { }
public sealed class PesterBrokenTask : SparseFrontier.Tasks.TaskContent {
    public PesterBrokenTask() => throw new System.InvalidOperationException("no list of words");
    public override SparseFrontier.Tasks.ContentSample Create(int seed, int units) => null;
}
'@
        $task = Register-SparseAttentionTask LastWord -Type ([PesterLastWord]) -Description 'Says the last word.'
        $task | Should -BeOfType SparseFrontier.SparseAttentionTask
        $task.Name, $task.Description | Should -Be LastWord, 'Says the last word.'
        (Get-Completion 'New-SparseAttentionSample LastW').ToolTip | Should -Match 'Says the last word\.$'
        $sample = New-SparseAttentionSample LastWord -Model $tiny -SequenceLength 960 -SampleCount 2
        $sample.Count | Should -Be 2
        $sample[0].Prompt | Should -Match 'What is the last word\?'
        $sample[0].GoldJson | Should -Match 'word\d+'
        $run = $small.Clone()
        $run.Remove('TaskParameter')
        $run.Task = 'LastWord'
        $rows = Invoke-SparseAttentionRun Dense, Quest -Sparsity 0.5 @run
        $rows.Status | Sort-Object -Unique | Should -Be Completed
        $rows.PromptTokens | ForEach-Object { $_ | Should -BeGreaterOrEqual (0.95 * 960) }
        Get-ErrorId { Register-SparseAttentionTask Other -Type ([PesterNoTask]) } | Should -Be ParameterInvalid
        $broken = { Register-SparseAttentionTask Other -Type ([PesterBrokenTask]) -ErrorAction Stop } | Should -Throw '*no list of words*' -PassThru
        $broken.FullyQualifiedErrorId | Should -BeLike 'ParameterInvalid,*'
    }

    It 'reports a name that is taken' {
        Get-ErrorId { Register-SparseAttentionTask Niah { 1 } } | Should -Be NameTaken
    }
}
