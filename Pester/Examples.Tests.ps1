BeforeAll {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    Import-SparseFrontier
    $script:examples = Join-Path (Get-RepositoryRoot) examples
    $script:model = New-TinyModel "$TestDrive/tiny"
    $run = Get-SmallRun $model
    $run.SampleCount = 8
    $script:grid = "$TestDrive/grid.csv"
    New-SparseAttentionSweep Dense, Quest -Sparsity 0.5 @run | Export-Csv $grid

    # As a scheduler starts it: a process of its own, whose exit code counts.
    function Test-Example([int] $ExitCode) {
        $output = pwsh -NoProfile -File @args 2>&1 | Out-String -Width 200
        $LASTEXITCODE | Should -Be $ExitCode -Because $output
        $output
    }

    # What a better version of the model would have left.
    function Set-Score([string] $Folder, [double] $Score) {
        foreach ($file in Get-ChildItem $Folder -Filter samples-*.jsonl -Recurse) {
            (Get-Content $file) -replace '"Score":[^,]+', "`"Score`":$Score" | Set-Content $file
        }
        foreach ($file in Get-ChildItem $Folder -Filter summary.json -Recurse) {
            (Get-Content $file) -replace '"(Score|ScoreLow|ScoreHigh)": [^,]+', "`"`$1`": $Score" | Set-Content $file
        }
    }
}

Describe 'examples/Nightly.ps1' {
    It 'takes the first night as the baseline and passes the second' {
        $output = Test-Example 0 "$examples/Nightly.ps1" -ResultPath "$TestDrive/nightly" -Grid $grid -Kernel Gate
        $output | Should -Match 'are the baseline from now on'
        $output = Test-Example 0 "$examples/Nightly.ps1" -ResultPath "$TestDrive/nightly" -Grid $grid -Kernel Gate
        $output | Should -Match 'Unchanged'
    }

    It 'ends with 3 where a loss is shown' {
        Set-Score "$TestDrive/nightly/baseline" 1
        $output = Test-Example 3 "$examples/Nightly.ps1" -ResultPath "$TestDrive/nightly" -Grid $grid -Kernel Gate
        $output | Should -Match 'Regressed'
        $output | Should -Match 'failed the gate Regression'
    }

    It 'ends with 2 where a kernel differs, and runs nothing' {
        # A function stands before a cmdlet of its name.
        $wrong = 'function Test-KernelCorrectness { [pscustomobject]@{ Kernel = "Wrong"; Passed = $false } }'
        $output = pwsh -NoProfile -Command "$wrong; & '$examples/Nightly.ps1' -ResultPath '$TestDrive/differs' -Grid '$grid'; exit `$LASTEXITCODE" 2>&1 | Out-String
        $LASTEXITCODE | Should -Be 2 -Because $output
        $output | Should -Match 'Wrong'
        Test-Path "$TestDrive/differs" | Should -BeFalse
    }

    It 'ends with 1 where something fails' {
        $null = Test-Example 1 "$examples/Nightly.ps1" -ResultPath "$TestDrive/nightly" -Grid "$TestDrive/none.csv" -Kernel Gate
    }
}

Describe 'examples/Sweep.ps1' {
    It 'says with -WhatIf what would run' {
        $output = Test-Example 0 "$examples/Sweep.ps1" $grid -ResultPath "$TestDrive/sweep" -WhatIf
        $output | Should -Match '2 runs, .* operations of prefill'
        Test-Path "$TestDrive/sweep" | Should -BeFalse
    }

    It 'runs a grid, draws its frontier and keeps its table' {
        $output = Test-Example 0 "$examples/Sweep.ps1" $grid -ResultPath "$TestDrive/sweep"
        @(Import-Csv "$TestDrive/sweep/runs.csv").Count | Should -Be 2
        $output | Should -Match 'Quest'
        $output | Should -Match 'Score against'
    }

    It 'writes no formulas into its table' {
        Push-Location $TestDrive
        try {
            $null = New-TinyModel './=tiny'
            $run = Get-SmallRun '=tiny'
            New-SparseAttentionSweep Dense @run | Export-Csv formula.csv
            $null = Test-Example 0 "$examples/Sweep.ps1" formula.csv -ResultPath "$TestDrive/formula"
        }
        finally { Pop-Location }
        (Import-Csv "$TestDrive/formula/runs.csv").Model | Should -Be "'=tiny"
        (Get-SparseAttentionResult "$TestDrive/formula").Model | Should -Be '=tiny'
    }

    It 'warns of what does not fit' {
        $run = Get-SmallRun $model
        New-SparseAttentionSweep Dense, SnapKV -Sparsity 0.999 @run | Export-Csv "$TestDrive/wide.csv"
        $output = Test-Example 0 "$examples/Sweep.ps1" "$TestDrive/wide.csv" -ResultPath "$TestDrive/wide" -WhatIf
        $output | Should -Match 'does not fit'
    }
}

Describe 'examples/ReproduceFindings.ps1' {
    BeforeAll { $script:few = '-Model', (New-TinyModel "$TestDrive/wide/tiny" -ContextLength 4096), '-Task', 'Niah', '-SequenceLength', 2500, '-SampleCount', 1, '-PatternLength', 2500, '-ResultPath', "$TestDrive/grid", '-OutputPath', "$TestDrive/findings" }

    It 'says with -WhatIf what would run' {
        $output = Test-Example 0 "$examples/ReproduceFindings.ps1" @few -WhatIf
        $output | Should -Match '\d+ runs, samples a run: 1,'
        Test-Path "$TestDrive/findings" | Should -BeFalse
    }

    It 'writes the page, its rows and the patterns' {
        $output = Test-Example 0 "$examples/ReproduceFindings.ps1" @few
        $output | Should -Match 'QuestOverAdaSnapKV'
        Get-Content "$TestDrive/findings/findings.md" -Raw | Should -Match '### Niah: [\s\S]*\| tiny \| 2500 \|'
        @(Get-SparseAttentionResult "$TestDrive/findings/findings.jsonl.gz").Count | Should -BeGreaterThan 20
        @(Get-Content "$TestDrive/findings/patterns.jsonl").Count | Should -BeGreaterThan 1
    }

    It 'puts the patterns of another checkpoint beside them' {
        $other = New-TinyModel "$TestDrive/wide/other" -ContextLength 4096
        Test-Example 0 "$examples/ReproduceFindings.ps1" @few -PatternModel $other | Should -Match 'QuestOverAdaSnapKV'
        $page = Get-Content "$TestDrive/findings/findings.md" -Raw
        $page | Should -Match '\| other \| Prefill \| all \| all \|'
        $page | Should -Match '\| tiny \| Prefill \| all \| all \|'
        $page | Should -Not -Match '\| other \| 2500 \|'
    }
}

Describe 'examples/KernelGate.Tests.ps1' {
    It 'passes where the kernels are right' {
        $command = "Invoke-Pester -Container (New-PesterContainer -Path '$examples/KernelGate.Tests.ps1' -Data @{ Kernel = 'Gate' }) -CI"
        $output = pwsh -NoProfile -WorkingDirectory $TestDrive -Command $command *>&1 | Out-String
        $LASTEXITCODE | Should -Be 0 -Because $output
        $output | Should -Match 'Tests Passed: [1-9]'
    }

    It 'fails where a kernel is not there' {
        $command = "Invoke-Pester -Container (New-PesterContainer -Path '$examples/KernelGate.Tests.ps1' -Data @{ Kernel = 'NoSuchKernel' }) -CI"
        $output = pwsh -NoProfile -WorkingDirectory $TestDrive -Command $command *>&1 | Out-String
        $LASTEXITCODE | Should -Not -Be 0 -Because $output
    }
}
