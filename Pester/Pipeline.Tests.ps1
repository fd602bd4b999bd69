BeforeAll {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    Import-SparseFrontier
    $tiny = New-TinyModel (Join-Path TestDrive: tiny)
}

Describe 'Ctrl-C' {
    It 'ends <name> at once' -ForEach @(
        @{ name = 'kernels that are checked'; call = 'Test-KernelCorrectness' }
        @{ name = 'kernels that are measured'; call = 'Measure-SparseKernel -SequenceLength 16384 -IterationCount 50' }
        @{ name = 'looking inside a model'; call = 'Measure-AttentionPattern -SequenceLength 8192 -Sparsity 0.5, 0.7, 0.9' }
        @{ name = 'making of samples'; call = 'New-SparseAttentionSample CommonWords, StoryRetrieval -SequenceLength 65536 -SampleCount 200' }
        @{ name = 'a report'; call = 'Get-SparseAttentionResult ./docs/findings.jsonl.br | Export-SparsityReport "$([System.IO.Path]::GetTempPath())/stopped.html" -Force' }
    ) {
        $shell = [powershell]::Create().AddScript("Set-Location '$(Get-RepositoryRoot)'; Import-Module ./SparseFrontier.psd1; $call")
        $running = $shell.BeginInvoke()
        if ($running.AsyncWaitHandle.WaitOne(1500)) { Set-ItResult -Skipped -Because 'this machine was faster'; return }
        $watch = [Diagnostics.Stopwatch]::StartNew()
        $shell.Stop()
        # 0.1 where nothing else runs; a busy machine took 2.15.
        $watch.Elapsed.TotalSeconds | Should -BeLessThan 5
        $shell.Streams.Error | Should -BeNullOrEmpty
        $shell.Dispose()
    }
}

Describe 'The pipeline of the README' {
    It 'prints what the README shows' {
        $readme = Get-Content (Join-Path (Get-RepositoryRoot) README.md) -Raw
        $readme -match '(?s)Get-SparsityPareto -OptimalOnly\r?\n```\s+```\r?\n(.*?)```' | Should -BeTrue
        $shown = $Matches[1]
        $rendering = $PSStyle.OutputRendering
        try {
            $PSStyle.OutputRendering = 'PlainText'
            $text = Get-SparseAttentionResult (Join-Path (Get-RepositoryRoot) tests/golden/default-comparison.jsonl.br) | Get-SparsityPareto -OptimalOnly | Out-String -Width 80
        }
        finally { $PSStyle.OutputRendering = $rendering }
        # Where a heading is broken depends on the window.
        ($shown -replace '\s+', ' ').Trim() | Should -BeExactly ($text -replace '\s+', ' ').Trim()
    }

    It 'goes from a sweep over runs to the frontier' {
        $sweep = Get-SmallRun $tiny
        $results = Join-Path TestDrive: results
        $points = New-SparseAttentionSweep -Method Dense, BlockSparse -Sparsity 0.5, 0.75 @sweep |
            Invoke-SparseAttentionRun -ResultPath $results |
            Get-SparsityPareto
        $points.Count | Should -Be 3
        ($points | Where-Object IsOptimal).Count | Should -BeGreaterThan 0
        (Get-SparseAttentionResult $results | Get-SparsityPareto).RunId | Sort-Object | Should -Be ($points.RunId | Sort-Object)
    }
}
