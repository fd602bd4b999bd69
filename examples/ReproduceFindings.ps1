<#
.SYNOPSIS
Runs the grid behind docs/findings.md and writes that page and the rows that it comes from.
.DESCRIPTION
Runs a preset, keeps its rows with the scores of their samples as one file, looks where dense attention lies, and writes what the results say of each claim of the paper. Finished
samples are kept: after Ctrl-C, or with a larger -SampleCount, the same command goes on. -WhatIf stops after the plan. Where a claim is Underpowered, the page names the samples a run that would decide it: that number is -SampleCount.
.PARAMETER Preset
FindingsSmall for two cores of a processor, Findings for a GPU.
.PARAMETER OutputPath
Folder of what is written: findings.md, findings.jsonl.gz, patterns.jsonl.
.PARAMETER ResultPath
Folder of results.
.PARAMETER Device
Device to compute on.
.PARAMETER SampleCount
Samples of each run; without it the preset's.
.PARAMETER Model
Models instead of the embedded ones.
.PARAMETER Task
Tasks instead of the preset's.
.PARAMETER SequenceLength
Lengths instead of the preset's.
.PARAMETER PatternLength
Length of the prompts that patterns of attention are taken from; 0 for none.
.PARAMETER PatternModel
Checkpoints whose patterns of attention stand beside those of the models that are run, such as the one that the findings are to be carried over to.
.EXAMPLE
./examples/ReproduceFindings.ps1 -OutputPath ./findings
.EXAMPLE
./examples/ReproduceFindings.ps1 -OutputPath ./findings -PatternModel ~/models/Qwen2.5-0.5B-Instruct
.EXAMPLE
./examples/ReproduceFindings.ps1 -Preset Findings -Device cuda:0 -SampleCount 200 -OutputPath ./findings
#>
#Requires -Version 7.6
[CmdletBinding(SupportsShouldProcess)]
param(
    [ValidateSet('FindingsSmall', 'Findings')] [string] $Preset = 'FindingsSmall',
    [Parameter(Mandatory)] [string] $OutputPath,
    [string] $ResultPath = './results',
    [string] $Device = 'cpu',
    [int] $SampleCount,
    [string[]] $Model,
    [string[]] $Task,
    [int[]] $SequenceLength,
    [int] $PatternLength = 2048,
    [string[]] $PatternModel = @()
)
$ErrorActionPreference = 'Stop'
$inPlace = Join-Path $PSScriptRoot .. SparseFrontier.psd1
Import-Module ((Test-Path $inPlace) ? $inPlace : 'SparseFrontier')

$grid = @{ Preset = $Preset; Device = $Device }
foreach ($name in 'SampleCount', 'Model', 'Task', 'SequenceLength') {
    if ($PSBoundParameters.ContainsKey($name)) { $grid[$name] = $PSBoundParameters[$name] }
}
$runs = New-SparseAttentionSweep @grid
$plan = $runs | Get-SparseAttentionPlan -ResultPath $ResultPath
$infeasible = @($plan | Where-Object -Not IsFeasible).Count
$count = [SparseFrontier.Counted]::Of($plan.Count, 'run')
'{0}, samples a run: {1}, infeasible at their length: {2}' -f $count, ($plan.SampleCount | Measure-Object -Maximum).Maximum, $infeasible
if (-not $PSCmdlet.ShouldProcess($ResultPath, "Run $count")) { return }

# Infeasible cells stay in the rows, and so in the page's table, without scores. A run that fails does not stop the others.
$rows = $runs | Invoke-SparseAttentionRun -ResultPath $ResultPath -ErrorAction Continue
$null = New-Item -ItemType Directory $OutputPath -Force
$rows | Export-SparseAttentionResult (Join-Path $OutputPath findings.jsonl.gz) -Force

$patterns = @(
    if ($PatternLength -gt 0) {
        # The task's easier form, which fits short prompts.
        $own = $grid.Clone()
        $own.Model = $PatternModel
        $measured = @($runs; if ($PatternModel) { New-SparseAttentionSweep @own })
        $first = $measured | Group-Object Model, Task | ForEach-Object { $_.Group[0] }
        $first | ForEach-Object { Measure-AttentionPattern Dense -Model $_.Model -Task $_.Task -TaskParameter $_.TaskParameters -SequenceLength $PatternLength -ShortInstructions }
    }
)
$patterns | ForEach-Object { $_ | ConvertTo-Json -Compress } | Set-Content (Join-Path $OutputPath patterns.jsonl)

# From the file, so that the page is what the file says.
$kept = Get-SparseAttentionResult (Join-Path $OutputPath findings.jsonl.gz)
$kept | Get-SparsityFinding -AsMarkdown -AttentionPattern $patterns | Set-Content (Join-Path $OutputPath findings.md) -NoNewline
$kept | Get-SparsityFinding | Format-Table
