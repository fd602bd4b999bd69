BeforeAll {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    Import-SparseFrontier
}

Describe 'Get-SparsityPareto' {
    BeforeAll {
        $rows = @(
            New-ResultRow Quest 0.5 0.9
            New-ResultRow Quest 0.9 0.7
            New-ResultRow SnapKV 0.5 0.8
        )
    }

    It 'marks what nothing beats' {
        $points = $rows | Get-SparsityPareto -Cost DecodeDensity
        $points.Count | Should -Be 3
        ($points | Where-Object IsOptimal).DecodeMethod | Should -Be Quest, Quest
        ($points | Where-Object { -not $_.IsOptimal }).DominatedBy | Should -Match Quest
    }

    It 'takes rows as JSON, CSV and tables, with columns of their own' {
        $json = $rows | ForEach-Object { $_ | Add-Member Lab 'other' -PassThru } | ConvertTo-Json -EnumsAsStrings | ConvertFrom-Json
        ($json | Get-SparsityPareto -Cost DecodeDensity -OptimalOnly).Count | Should -Be 2
        $csv = $rows | ConvertTo-Csv | ConvertFrom-Csv
        ($csv | Get-SparsityPareto -Cost DecodeDensity -OptimalOnly).Count | Should -Be 2
        $table = @{ Method = 'Quest'; DecodeMethod = 'Dense'; Task = 'Niah'; Model = 'm'; SequenceLength = 8; PrefillSparsity = 0.5; DecodeSparsity = 0; Score = 1 }
        ($table | Get-SparsityPareto -Cost PrefillDensity).IsOptimal | Should -BeTrue
    }

    It 'takes rows from another process' {
        $deserialized = [System.Management.Automation.PSSerializer]::Deserialize([System.Management.Automation.PSSerializer]::Serialize($rows))
        ($deserialized | Get-SparsityPareto -Cost DecodeDensity).Count | Should -Be 3
    }

    It 'takes rows as an argument' {
        (Get-SparsityPareto -InputObject $rows -Cost DecodeDensity).Count | Should -Be 3
    }

    It 'refuses what is not a row' {
        { 'text' | Get-SparsityPareto -ErrorAction Stop } | Should -Throw
        { [pscustomobject]@{ Method = 'Quest'; Score = 'high' } | Get-SparsityPareto -ErrorAction Stop } | Should -Throw '*Score*high*'
    }

    It 'puts tasks together by their mean or their worst' {
        $both = $rows + ($rows | ForEach-Object { $copy = $_ | ConvertTo-Json -EnumsAsStrings | ConvertFrom-Json; $copy.Task = 'CommonWords'; $copy.Score = $copy.Score / 2; $copy })
        $mean = $both | Get-SparsityPareto -Cost DecodeDensity -Aggregate Mean
        $mean | Should -HaveCount 3
        $mean[0].Task | Should -Be 'mean of 2 tasks'
        $worst = $both | Get-SparsityPareto -Cost DecodeDensity -Aggregate Worst
        foreach ($i in 0..2) { [Math]::Abs($worst[$i].Value / $mean[$i].Value - 2 / 3) | Should -BeLessThan 1e-9 }
        (Get-Completion 'Get-SparsityPareto -Aggregate W').CompletionText | Should -Contain Worst
    }

    It 'reports an unknown column' {
        Get-ErrorId { $rows | Get-SparsityPareto -Cost Beauty } | Should -Be ParameterInvalid
    }
}
