<#
.SYNOPSIS
Runs the Pester suite against the module as built in place; exits 1 when a test fails.
#>
#Requires -Version 7.6
#Requires -Modules @{ ModuleName = 'Pester'; ModuleVersion = '5.7.0' }
param(
    [string[]] $ExcludeTag = @()
)
$ErrorActionPreference = 'Stop'
Import-Module Pester -MinimumVersion 5.7.0

$configuration = New-PesterConfiguration
$configuration.Run.Path = $PSScriptRoot
$configuration.Run.PassThru = $true
$configuration.Filter.ExcludeTag = $ExcludeTag
$configuration.Output.Verbosity = 'Detailed'
$result = Invoke-Pester -Configuration $configuration

# Containers and blocks that break before their tests run count as failures too.
$failed = $result.FailedCount + $result.FailedContainersCount + $result.FailedBlocksCount
"Pester: $($result.PassedCount) passed, $failed failed, $($result.SkippedCount + $result.NotRunCount) skipped"

# Under `pwsh -File` exit alone was seen to return 0 here after a Pester run; the host's exit code holds.
$code = $failed -gt 0 ? 1 : 0
$Host.SetShouldExit($code)
exit $code
