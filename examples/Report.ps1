<#
.SYNOPSIS
From results on disk to a report: a chart of each frontier in the log, and one HTML file to send around.
.EXAMPLE
./examples/Report.ps1 -ResultPath results -Path report.html -KernelLength 1024, 4096
#>
#Requires -Version 7.6
param(
    [string[]] $ResultPath = 'results',
    [string] $Path = 'report.html',
    # Lengths at which methods are timed on one layer for the speed-up and the roofline; none: the speed-up is of the runs' own seconds.
    [int[]] $KernelLength = @()
)
$ErrorActionPreference = 'Stop'
if (-not (Get-Module SparseFrontier)) { Import-Module (Join-Path (Split-Path $PSScriptRoot) SparseFrontier.psd1) }

$results = Get-SparseAttentionResult -Path $ResultPath
$results | Get-SparsityPareto | Show-SparsityPareto -PassThru | Out-Null

$report = @{ Path = $Path; Force = $true; PassThru = $true }
if ($KernelLength) { $report.KernelMeasurement = Measure-SparseKernel -SequenceLength $KernelLength -Sparsity 0.5, 0.8, 0.9 -IterationCount 3 }
$results | Export-SparsityReport @report
