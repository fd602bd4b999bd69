BeforeAll {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    Import-SparseFrontier
}

Describe 'Show-SparsityPareto' {
    BeforeAll {
        $points = @(New-ResultRow Quest 0.5 0.9; New-ResultRow Quest 0.9 0.7; New-ResultRow SnapKV 0.5 0.8) | Get-SparsityPareto -Cost DecodeDensity
    }

    It 'draws capitals on the frontier and lower case beneath it' {
        $chart = $points | Show-SparsityPareto -Width 60 -Ascii
        $chart | Should -BeOfType string
        $chart[0] | Should -Be 'Niah at 2048 tokens, tiny: Score against DecodeDensity'
        ($chart -cmatch '[|+].*Q').Count | Should -Be 2
        ($chart -cmatch '[|+].*s').Count | Should -Be 1
        $chart | ForEach-Object { $_.Length | Should -BeLessOrEqual 60; $_ | Should -Match '^[ -~]*$' }
    }

    It 'passes the points on, with the chart on the host' {
        $passed = $points | Show-SparsityPareto -PassThru -InformationVariable chart 6>$null
        $passed.Count | Should -Be 3
        $passed | Should -BeOfType SparseFrontier.SparsityPoint
        $chart.Tags | Should -Contain PSHOST
        "$chart" | Should -Match 'Score against DecodeDensity'
    }

    It 'takes points as JSON and CSV' {
        ($points | ConvertTo-Json | ConvertFrom-Json | Show-SparsityPareto -Ascii)[0] | Should -Match DecodeDensity
        ($points | ConvertTo-Csv | ConvertFrom-Csv | Show-SparsityPareto -Ascii)[0] | Should -Match DecodeDensity
    }

    It 'takes rows of results, whose frontiers are those of Get-SparsityPareto' {
        $rows = @(New-ResultRow Quest 0.5 0.9; New-ResultRow Quest 0.9 0.7; New-ResultRow SnapKV 0.5 0.8)
        $expected = $rows | Get-SparsityPareto -WarningAction Ignore | Show-SparsityPareto -Width 60 -Ascii
        $rows | Show-SparsityPareto -Width 60 -Ascii -WarningAction Ignore | Should -Be $expected
        Show-SparsityPareto $rows -Width 60 -Ascii -WarningAction Ignore | Should -Be $expected
        $rows | ConvertTo-Json -EnumsAsStrings | ConvertFrom-Json | Show-SparsityPareto -Width 60 -Ascii -WarningAction Ignore | Should -Be $expected
        $passed = $rows | Show-SparsityPareto -PassThru -WarningAction Ignore 6>$null
        $passed | Should -HaveCount 3
        $passed | Should -BeOfType SparseFrontier.SparsityPoint
        Get-ErrorId { 'text' | Show-SparsityPareto } | Should -Be InputObjectNotBound
    }

    It 'has no colour when its output goes to a file' {
        $root = Get-RepositoryRoot
        $script = "Import-Module '$root/SparseFrontier.psd1'; [SparseFrontier.SparsityPoint]@{ Method = 'Quest'; Cost = 1; Value = 0.5; CostName = 'Density'; ValueName = 'Score' } | Show-SparsityPareto"
        $program = @(Get-PowerShellProgram)
        $lines = & $program[0] @($program | Select-Object -Skip 1) -NoProfile -Command $script
        $lines.Count | Should -BeGreaterThan 16
        "$lines" | Should -Not -Match "`e"
    }

    It 'reports a height that is none' {
        Get-ErrorId { $points | Show-SparsityPareto -Height 0 } | Should -Be ParameterInvalid
    }
}
