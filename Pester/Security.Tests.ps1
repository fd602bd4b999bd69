# What files and models say is shown and not obeyed.
BeforeAll {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    Import-SparseFrontier
    $hostile = "=a`e[2J$([char]0x9B)31m`rb"
    $escaped = ($hostile | ConvertTo-Json).Trim('"')
    $folder = Join-Path TestDrive: results
    $run = New-Item -ItemType Directory (Join-Path $folder run)
    Set-Content "$run/spec.json" "{`"RunId`":`"0123456789abcdef`",`"Specification`":{`"Task`":`"$escaped`",`"Method`":`"$escaped`",`"Model`":`"$escaped`",`"SequenceLength`":1024,`"SampleCount`":1}}"
    Set-Content "$run/samples-0001.jsonl" "{`"RunId`":`"0123456789abcdef`",`"Index`":0,`"Score`":1,`"Output`":`"$escaped`",`"FormatFailure`":`"$escaped`"}"
    function Test-Obeyed ([string] $text) { $text -match '[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]' }
}

Describe 'Texts of files' {
    It 'are shown by <name>' -ForEach @(
        @{ Name = 'rows'; Command = { Get-SparseAttentionResult $folder } }
        @{ Name = 'samples'; Command = { Get-SparseAttentionResult $folder -Sample } }
    ) {
        $PSStyle.OutputRendering = 'Ansi'
        $text = & $Command 3>$null | Out-String -Width 200
        $text | Should -Not -BeNullOrEmpty
        Test-Obeyed ($text -replace "`r`n|`t|`e\[[\d;]*m") | Should -BeFalse
    }

    It 'are shown in errors and warnings' {
        $failed = { Get-SparseAttentionResult -LiteralPath (Join-Path $TestDrive "none`e[2J") -ErrorAction Stop } | Should -Throw -PassThru
        $failed.Exception.Message | Should -Match ([regex]::Escape('\u001B[2J'))
        Test-Obeyed $failed.Exception.Message | Should -BeFalse
    }

    It 'stay as they are in the properties' {
        (Get-SparseAttentionResult $folder -Sample).Output | Should -Be $hostile
    }

    It 'are no formulas where docs/security.md is followed' {
        $rows = Get-SparseAttentionResult $folder -Sample
        $block = [regex]::Match((Get-Content "$PSScriptRoot/../docs/security.md" -Raw), '(?s)```powershell\r?\n(.*?)\| Export-Csv').Groups[1].Value
        $cells = & ([scriptblock]::Create($block))
        $cells.Output | Should -Be "'$hostile"
        $rows.Output | Should -Be $hostile
    }
}
