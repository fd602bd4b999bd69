<#
.SYNOPSIS
Builds and tests SparseFrontier.
.DESCRIPTION
Comfort only: every task is one call of dotnet or of a script, so that a build without PowerShell does the same.
.EXAMPLE
./build.ps1 -Task Build, Test, Pester
#>
#Requires -Version 7.6
[CmdletBinding()]
param(
    [ValidateSet('Build', 'Test', 'Pester', 'Clean')]
    [string[]] $Task = 'Build',
    [ValidateSet('Debug', 'Release')]
    [string] $Configuration = 'Release'
)
$ErrorActionPreference = 'Stop'
$PSNativeCommandUseErrorActionPreference = $true
Set-Location $PSScriptRoot

switch ($Task) {
    'Clean' { Remove-Item artifacts, bin, out -Recurse -Force -ErrorAction Ignore }
    'Build' { dotnet build -c $Configuration }
    'Test' { dotnet test -c $Configuration }
    'Pester' { pwsh -NoProfile -File Pester/run.ps1 }
}
