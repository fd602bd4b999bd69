<#
.SYNOPSIS
A nightly job: checks the kernels, runs a grid, and compares with a baseline.
.DESCRIPTION
Each night has a folder of its own, so that everything is computed anew; started again in the same night, the job goes on where it stopped. The first
night becomes the baseline. Exit codes:

0  all is well
1  something failed; the error is on the error stream
2  a kernel differs from its reference
3  a run lost more than the margin against the baseline, or is missing

cron:                 0 2 * * *  pwsh -NoProfile -File /srv/SparseFrontier/examples/Nightly.ps1 -ResultPath /srv/nightly -Grid /srv/grid.csv
Windows scheduler:    Register-ScheduledTask Nightly -Trigger (New-ScheduledTaskTrigger -Daily -At 2am) -Action (
                          New-ScheduledTaskAction -Execute pwsh -Argument '-NoProfile -File C:\SparseFrontier\examples\Nightly.ps1 -ResultPath C:\nightly')
.PARAMETER ResultPath
Folder of the nights and the baseline.
.PARAMETER Grid
A CSV of runs, as New-SparseAttentionSweep ... | Export-Csv grid.csv writes it. Without it the default comparison runs.
.PARAMETER MaximumDrop
The mean loss of score that is accepted.
.PARAMETER Kernel
Kernels to check; wildcards match. Without it all.
.EXAMPLE
pwsh -NoProfile -File examples/Nightly.ps1 -ResultPath ./nightly
#>
#Requires -Version 7.6
param(
    [string] $ResultPath = './nightly',
    [string] $Grid,
    [double] $MaximumDrop = 0.05,
    [string[]] $Kernel = '*'
)
# Without this line pwsh -File ends with 0 after most errors.
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'Ignore'
$inPlace = Join-Path $PSScriptRoot .. SparseFrontier.psd1
Import-Module ((Test-Path $inPlace) ? $inPlace : 'SparseFrontier')

$wrong = Test-KernelCorrectness $Kernel | Where-Object -Not Passed
if ($wrong) {
    $wrong | Format-List
    exit 2
}

$runs = $Grid ? (Import-Csv $Grid) : (New-SparseAttentionSweep)
$rows = $runs | Invoke-SparseAttentionRun -ResultPath (Join-Path $ResultPath (Get-Date -Format yyyy-MM-dd))
$rows | Format-Table

$baseline = Join-Path $ResultPath baseline
if (-not (Test-Path $baseline)) {
    Copy-Item (Join-Path $ResultPath (Get-Date -Format yyyy-MM-dd)) $baseline -Recurse
    "Tonight's runs are the baseline from now on: $baseline"
    exit 0
}

$comparison = @{ MaximumDrop = $MaximumDrop; FailOn = 'Regression'; ErrorVariable = 'failure'; ErrorAction = 'SilentlyContinue' }
$rows | Compare-SparseAttentionResult (Get-SparseAttentionResult $baseline) @comparison | Format-Table
$failure | ForEach-Object { [Console]::Error.WriteLine($_.Exception.Message) }
if ($failure) { exit (($failure.FullyQualifiedErrorId -like 'ComparisonFailed,*') ? 3 : 1) }
exit 0
