<# What the test files share. #>

function Get-RepositoryRoot { Split-Path $PSScriptRoot }

function Import-SparseFrontier { Import-Module (Join-Path (Get-RepositoryRoot) 'SparseFrontier.psd1') -Global }

<# The completions that a user sees at the end of a line. #>
function Get-Completion {
    param([Parameter(Mandatory)] [string] $Line)
    (TabExpansion2 -inputScript $Line -cursorColumn $Line.Length).CompletionMatches
}

<# What a command writes to the error stream. #>
function Get-ErrorId {
    param([Parameter(Mandatory)] [scriptblock] $Script)
    $errors = @(& $Script 2>&1 | Where-Object { $_ -is [System.Management.Automation.ErrorRecord] })
    $errors.ForEach({ ($_.FullyQualifiedErrorId -split ',')[0] })
}

Export-ModuleMember -Function Get-RepositoryRoot, Import-SparseFrontier, Get-Completion, Get-ErrorId
