<#
.SYNOPSIS
Measures what importing the module costs beyond importing an empty one.
.DESCRIPTION
Each measurement is Import-Module alone, timed in a PowerShell of its own; empty and real take turns. It also lists the native libraries that the
import maps, which must be none of ours or of CUDA's.
.EXAMPLE
pwsh -NoProfile -File Pester/Measure-Import.ps1 -Count 15
#>
#Requires -Version 7.6
param([int] $Count = 15)
$ErrorActionPreference = 'Stop'
$root = Split-Path $PSScriptRoot
$empty = Join-Path ([System.IO.Path]::GetTempPath()) "Empty$PID"
$null = New-Item -ItemType Directory $empty
try {
    # An empty binary module: the assembly is read, but exports nothing.
    Add-Type -TypeDefinition 'public static class Nothing { }' -OutputAssembly (Join-Path $empty Empty.dll)
    "@{ RootModule = 'Empty.dll'; ModuleVersion = '1.0'; GUID = '$(New-Guid)'; CmdletsToExport = @(); FunctionsToExport = @(); VariablesToExport = @(); AliasesToExport = @() }" |
        Set-Content (Join-Path $empty Empty.psd1)
    $script = {
        param($path)
        $watch = [System.Diagnostics.Stopwatch]::StartNew()
        Import-Module $path
        $watch.Elapsed.TotalMilliseconds
        [System.Diagnostics.Process]::GetCurrentProcess().Modules.FileName -match 'SparseFrontier|(lib|nv)cuda|nvrtc|cublas' -notmatch '\.dll$'
    }
    $milliseconds = @{ Empty = @(); SparseFrontier = @() }
    $libraries = @()
    foreach ($i in 1..$Count) {
        foreach ($module in @{ Name = 'Empty'; Path = Join-Path $empty Empty.psd1 }, @{ Name = 'SparseFrontier'; Path = Join-Path $root SparseFrontier.psd1 }) {
            $time, $mapped = pwsh -NoProfile -Command $script -args $module.Path
            $milliseconds[$module.Name] += [double]$time
            $libraries += @($mapped | Where-Object { $_ })
        }
    }
    $row = foreach ($name in 'Empty', 'SparseFrontier') {
        $sorted = $milliseconds[$name] | Sort-Object
        [pscustomobject]@{ Module = $name; Median = $sorted[[int](($Count - 1) / 2)]; Least = $sorted[0]; Most = $sorted[-1]; Count = $Count }
    }
    $row
    [pscustomobject]@{ Module = 'Difference of medians'; Median = $row[1].Median - $row[0].Median; Least = $null; Most = $null; Count = $Count }
    if ($libraries) { Write-Error "Native libraries were mapped at import: $($libraries | Sort-Object -Unique)" }
}
finally { Remove-Item $empty -Recurse -Force }
