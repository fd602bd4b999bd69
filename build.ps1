<#
.SYNOPSIS
Builds, tests and packs SparseFrontier.
.DESCRIPTION
Comfort only: every task is a call of dotnet or of a script, so that a build without PowerShell does the same. Tasks run in the order given.

Build    compiles everything; the module can then be imported in place, with its help.
Test     runs the tests that need no PowerShell.
Pester   runs the tests of the module in a PowerShell of their own.
Docs     writes docs/cmdlets from the doc comments.
Package  makes out/SparseFrontier/<version>, the folder that users have in the end, and out/SparseFrontier.<version>.nupkg.
Clean    removes what the other tasks made.
.EXAMPLE
./build.ps1 -Task Build, Test, Pester
.EXAMPLE
./build.ps1 -Task Clean, Package
#>
#Requires -Version 7.6
[CmdletBinding()]
param(
    [ValidateSet('Build', 'Test', 'Pester', 'Docs', 'Package', 'Clean')]
    [string[]] $Task = 'Build',
    [ValidateSet('Debug', 'Release')]
    [string] $Configuration = 'Release'
)
$ErrorActionPreference = 'Stop'
$PSNativeCommandUseErrorActionPreference = $true
Push-Location $PSScriptRoot
try {
    switch ($Task) {
        'Build' { dotnet build -c $Configuration }
        'Test' { dotnet test -c $Configuration }
        'Pester' { pwsh -NoProfile -File Pester/run.ps1 }
        'Docs' { dotnet run --project tools/HelpBuilder -c $Configuration -- markdown . }
        'Package' {
            dotnet build -c $Configuration
            dotnet pack SparseFrontier.Module -c $Configuration --no-build
        }
        'Clean' { Remove-Item artifacts, bin, en-US, out -Recurse -Force -ErrorAction Ignore }
    }
}
finally { Pop-Location }
