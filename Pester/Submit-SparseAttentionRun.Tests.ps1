BeforeAll {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    Import-SparseFrontier
    $tiny = New-TinyModel (Join-Path TestDrive: tiny)
    $small = Get-SmallRun $tiny
    $root = Convert-Path TestDrive:/
    $worker = New-FakeSlurm (Join-Path $root slurm) -Queue '4711|0|PENDING|Resources'
    $path = $env:PATH
    $env:PATH = "$worker$([IO.Path]::PathSeparator)$path"
}

AfterAll { $env:PATH = $path }

Describe 'Submit-SparseAttentionRun, Get-SparseAttentionJob, Stop-SparseAttentionJob' -Skip:$IsWindows {
    It 'submits a grid, lists the job and cancels it' {
        $results = Join-Path $root results
        $job = New-SparseAttentionSweep Dense, Quest -Sparsity 0.5 @small | Submit-SparseAttentionRun -WorkerPath $worker -ResultPath $results -TimeLimit 02:00
        $job | Should -BeOfType SparseFrontier.SparseAttentionJob
        $job.JobId, $job.MergeJobId, $job.TaskCount, $job.RunCount | Should -Be 4711, 4712, 1, 2
        Get-Content (Join-Path $job.Path run.sbatch) | Should -Contain '#SBATCH --time=0-02:00:00'
        $listed = Get-SparseAttentionJob -ResultPath $results
        $listed.State, $listed.Reason | Should -Be Pending, Resources
        $listed | Out-String | Should -Match '4711\s+sparsefrontier\s+Pending\s+1\s+1\s+0\s+0\s+0'
        foreach ($name in 'Get-SparseAttentionJob', 'Stop-SparseAttentionJob') {
            $completion = Get-Completion "$name -ResultPath $results -Id 47"
            $completion.CompletionText | Should -Be 4711
            $completion.ToolTip | Should -Match '^sparsefrontier, submitted .+: 2 runs in 1 element$'
        }
        Get-ErrorId { Get-SparseAttentionJob 99 -ResultPath $results } | Should -Be JobNotFound
        $listed | Stop-SparseAttentionJob -WhatIf
        $null = New-FakeSlurm $worker
        $stopped = $listed | Stop-SparseAttentionJob -PassThru
        $stopped.State | Should -Be Cancelled
    }

    It 'shows the script with -WhatIf and submits nothing' {
        $log = Join-Path $root log.txt
        Start-Transcript $log | Out-Null
        try { Submit-SparseAttentionRun Quest -Sparsity 0.5 @small -WorkerPath $worker -ResultPath (Join-Path $root none) -WhatIf }
        finally { Stop-Transcript | Out-Null }
        Get-Content $log -Raw | Should -Match '#SBATCH --array=0-0'
        Join-Path $root none | Should -Not -Exist
    }

    It 'says what is wrong' {
        Get-ErrorId { Submit-SparseAttentionRun Quest @small -WorkerPath $worker -Name 'a b' } | Should -Be ParameterInvalid
        Get-ErrorId { Submit-SparseAttentionRun Quest @small -WorkerPath ./no/such } | Should -Be FileNotFound
    }
}

Describe 'Merge-SparseAttentionResult' {
    It 'takes in other folders and completes runs' {
        $one = Join-Path $root one
        $rows = Invoke-SparseAttentionRun Quest -Sparsity 0.5 @small -ResultPath $one
        Remove-Item (Join-Path $rows.Path summary.json)
        $merged = Merge-SparseAttentionResult $one -ResultPath (Join-Path $root all)
        $merged.Status | Should -Be Completed
        $merged.RunId | Should -Be $rows.RunId
        (Merge-SparseAttentionResult -ResultPath (Join-Path $root all)).Score | Should -Be $rows.Score
        @(Merge-SparseAttentionResult $one -ResultPath (Join-Path $root other) -WhatIf) | Should -BeNullOrEmpty
    }
}
