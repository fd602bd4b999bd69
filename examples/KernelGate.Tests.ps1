<#
.SYNOPSIS
A Pester test that gates a build on the kernels: each fast kernel against its plain double-precision reference.
.DESCRIPTION
Every case is a test of its own, with its error and what is allowed. Under -CI Invoke-Pester ends with an exit code that fails a build.
.EXAMPLE
Invoke-Pester examples/KernelGate.Tests.ps1 -CI
.EXAMPLE
Invoke-Pester -Container (New-PesterContainer -Path examples/KernelGate.Tests.ps1 -Data @{ Device = 'cuda:0' })
#>
#Requires -Version 7.6
param(
    [string[]] $Kernel = '*',
    [string] $Device = 'cpu'
)

BeforeDiscovery {
    $inPlace = Join-Path $PSScriptRoot .. SparseFrontier.psd1
    Import-Module ((Test-Path $inPlace) ? $inPlace : 'SparseFrontier')
    $cases = Test-KernelCorrectness $Kernel -Device $Device -ErrorAction Stop
}

Describe 'Kernels on <Device>' -ForEach @{ Device = $Device } {
    It '<_.Kernel> (<_.Backend>) at <_.Shape>' -ForEach $cases {
        $_.Passed | Should -BeTrue -Because "its relative error is $($_.MaximumRelativeError) and at most $($_.Tolerance) is allowed"
    }
}
