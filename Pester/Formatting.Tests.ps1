BeforeAll {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    Import-SparseFrontier
    $rendering = $PSStyle.OutputRendering
    $PSStyle.OutputRendering = 'PlainText'
}

AfterAll { $PSStyle.OutputRendering = $rendering }

Describe 'Formatting' {
    It 'shows results by task with intervals' {
        $text = New-ResultRow Quest 0.9 0.5 | Format-Table | Out-String -Width 120
        $text | Should -Match 'Niah at 2048 tokens, tiny'
        $text | Should -Match 'Quest\s+0.90\s+0.00\s+0.90\s+0.500\s+\[0.45, 0.55\]\s+20\s+12.5\s+Completed'
    }

    It 'marks runs that ran dense, in a narrow window too' {
        $dense = New-ResultRow Quest 0.9 0.5 | ConvertTo-Json -EnumsAsStrings | ConvertFrom-Json
        $dense.FallbackCount = 3
        [SparseFrontier.SparseAttentionResult] $dense | Format-Table | Out-String -Width 80 | Should -Match '0.500 dense 3/20\s+20'
        $infeasible = [SparseFrontier.SparseAttentionResult]@{ Method = 'BlockSparse'; Task = 'Niah'; Status = 'Infeasible' }
        $infeasible | Format-Table | Out-String -Width 80 | Should -Match 'Infeasible\s+0'
        [SparseFrontier.SampleResult]@{ RunId = 'a'; DenseFallback = $true } | Format-Table | Out-String -Width 80 | Should -Match 'ran dense'
    }

    It 'shows the frontier with a star' {
        $text = New-ResultRow | Get-SparsityPareto -Cost DecodeDensity | Format-Table | Out-String -Width 120
        $text | Should -Match "$([char]0x2605)\s+Quest"
    }

    It 'shows what is on the frontier by its cost alone with a circle' {
        $text = (New-ResultRow SnapKV 0.9 0), (New-ResultRow Quest 0.8 0.5) | Get-SparsityPareto -Cost DecodeDensity | Format-Table | Out-String -Width 120
        $text | Should -Match "$([char]0x25cb)\s+SnapKV"
        $text | Should -Match "$([char]0x2605)\s+Quest"
    }

    It 'has a table for <_>' -ForEach 'Get-SparseAttentionMethod', 'Get-SparseAttentionTask', 'Get-SparseAttentionDevice', 'New-SparseAttentionSweep' {
        $text = & $_ | Out-String -Width 160
        $text | Should -Match '(?m)^-+\s+-+'
    }

    It 'formats rows of another session too' {
        $row = [System.Management.Automation.PSSerializer]::Deserialize([System.Management.Automation.PSSerializer]::Serialize((New-ResultRow)))
        $row | Format-Table | Out-String -Width 120 | Should -Match 'Quest\s+0.90'
    }

    It 'follows the user''s culture' {
        $culture = [cultureinfo]::CurrentCulture
        try {
            [cultureinfo]::CurrentCulture = 'de-DE'
            $separator = [cultureinfo]::CurrentCulture.NumberFormat.NumberDecimalSeparator
            New-ResultRow | Format-Table | Out-String -Width 120 | Should -Match "0\$($separator)500"
        }
        finally { [cultureinfo]::CurrentCulture = $culture }
    }
}
