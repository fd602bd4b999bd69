<#
.SYNOPSIS
Runs a grid that is kept in a spreadsheet, and shows what came of it.
.DESCRIPTION
Says first what would run and what it would cost, then runs what is feasible, and shows frontiers and tolerated sparsities. Runs that are finished are not repeated: after
more lines in the grid, or after Ctrl-C, the same command goes on. -WhatIf stops after the plan.
.PARAMETER Grid
A CSV whose columns are parameters of Invoke-SparseAttentionRun, a line each run, or what New-SparseAttentionSweep ... | Export-Csv wrote. Without it the default
comparison runs.
.PARAMETER ResultPath
Folder of results.
.PARAMETER MaximumDrop
The mean loss of score that counts as tolerated.
.EXAMPLE
'Method,Task,SequenceLength,Sparsity', 'Quest,Niah,2048,0.5', 'BlockSparse,Niah,2048,0.5', 'Dense,Niah,2048,' | Set-Content grid.csv
./examples/Sweep.ps1 grid.csv -WhatIf
#>
#Requires -Version 7.6
[CmdletBinding(SupportsShouldProcess)]
param(
    [string] $Grid,
    [string] $ResultPath = './results',
    [double] $MaximumDrop = 0.05
)
$ErrorActionPreference = 'Stop'
$inPlace = Join-Path $PSScriptRoot .. SparseFrontier.psd1
Import-Module ((Test-Path $inPlace) ? $inPlace : 'SparseFrontier')

$plan = $Grid ? (Import-Csv $Grid | Get-SparseAttentionPlan) : (New-SparseAttentionSweep | Get-SparseAttentionPlan)
$plan | Format-Table
$plan | Where-Object -Not IsFeasible | ForEach-Object { Write-Warning "$_ does not fit: at most $($_.MaximumFeasibleSparsity)." }
$sum = $plan | Measure-Object SharedPrefillOperations -Sum
$runs = [SparseFrontier.Counted]::Of($plan.Count, 'run')
'{0}, {1:N0} billion operations of prefill' -f $runs, ($sum.Sum / 1e9)
if (-not $PSCmdlet.ShouldProcess($ResultPath, "Run $runs")) { return }

$rows = $plan | Where-Object IsFeasible | Invoke-SparseAttentionRun -ResultPath $ResultPath

# For a spreadsheet, to which a text that begins like a formula is one: names of models and tasks may be anybody's.
$rows | Select-Object * | ForEach-Object {
    foreach ($p in $_.PSObject.Properties) { if ($p.Value -is [string] -and $p.Value -match '^[=+\-@\t\r]') { $p.Value = "'$($p.Value)" } }
    $_
} | Export-Csv (Join-Path $ResultPath runs.csv)
$rows | Get-SparsityPareto | Show-SparsityPareto
$rows | Where-Object { $_.Method -ne 'Dense' -or $_.DecodeMethod -ne 'Dense' } | Format-Table
if ($rows | Where-Object { $_.Method -eq 'Dense' -and $_.DecodeMethod -eq 'Dense' }) {
    $rows | Measure-SparsityTolerance -MaximumDrop $MaximumDrop | Format-Table
}
