<#
.SYNOPSIS
Measures what importing the module costs beyond importing an empty one, and what it brings into the process.
.DESCRIPTION
Each measurement is Import-Module alone, timed in a PowerShell of its own; empty and real take turns. Least is what the import costs when nothing else
runs. It is an error when the import maps a native library that an empty module does not, or loads an assembly that is neither the module's nor .NET's.
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
        $milliseconds = $watch.Elapsed.TotalMilliseconds
        @{
            Milliseconds = $milliseconds
            Libraries    = [System.Diagnostics.Process]::GetCurrentProcess().Modules.FileName -notmatch '\.(dll|exe)$'
            Assemblies   = [System.AppDomain]::CurrentDomain.GetAssemblies().Location | Where-Object { $_ }
        } | ConvertTo-Json
    }
    $measured = @{ Empty = @(); SparseFrontier = @() }
    foreach ($i in 1..$Count) {
        foreach ($module in @{ Name = 'Empty'; Path = Join-Path $empty Empty.psd1 }, @{ Name = 'SparseFrontier'; Path = Join-Path $root SparseFrontier.psd1 }) {
            $measured[$module.Name] += pwsh -NoProfile -Command $script -args $module.Path | ConvertFrom-Json
        }
    }
    $row = foreach ($name in 'Empty', 'SparseFrontier') {
        $sorted = $measured[$name].Milliseconds | Sort-Object
        [pscustomobject]@{ Module = $name; Median = $sorted[[int](($Count - 1) / 2)]; Least = $sorted[0]; Most = $sorted[-1]; Count = $Count }
    }
    $row
    [pscustomobject]@{ Module = 'Difference'; Median = $row[1].Median - $row[0].Median; Least = $row[1].Least - $row[0].Least; Most = $null; Count = $Count }
    $libraries = $measured.SparseFrontier.Libraries | Where-Object { $_ -notin $measured.Empty.Libraries } | Sort-Object -Unique
    if ($libraries) { Write-Error "Native libraries were mapped at import: $libraries" }
    $known = @($PSHOME; [System.Runtime.InteropServices.RuntimeEnvironment]::GetRuntimeDirectory(); Join-Path $root bin)
    $assemblies = $measured.SparseFrontier.Assemblies | Where-Object { $path = $_; -not ($known | Where-Object { $path.StartsWith($_) }) } | Sort-Object -Unique
    if ($assemblies) { Write-Error "Assemblies that are neither the module's nor .NET's were loaded at import: $assemblies" }
}
finally { Remove-Item $empty -Recurse -Force }
