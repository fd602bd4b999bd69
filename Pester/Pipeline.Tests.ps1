BeforeAll {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    Import-SparseFrontier
    $tiny = New-TinyModel (Join-Path TestDrive: tiny)
}

Describe 'The pipeline of the README' {
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
