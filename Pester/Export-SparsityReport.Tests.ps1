BeforeAll {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    Import-SparseFrontier
}

Describe 'Export-SparsityReport' {
    BeforeAll {
        $rows = @(New-ResultRow Dense 0 0.95; New-ResultRow Quest 0.5 0.9; New-ResultRow Quest 0.9 0.7; New-ResultRow SnapKV 0.5 0.8)
        Push-Location TestDrive:/
    }

    AfterAll { Pop-Location }

    It 'writes a file in the location, and nothing to the pipeline' {
        $rows | Export-SparsityReport plain.html -WarningAction SilentlyContinue | Should -BeNullOrEmpty
        $page = Get-Content plain.html -Raw
        $page | Should -Match '<title>Sparse attention: what is worth it</title>'
        $page | Should -Match 'On the frontier'
    }

    It 'refuses to overwrite without -Force' {
        Get-ErrorId { $rows | Export-SparsityReport twice.html; $rows | Export-SparsityReport twice.html } | Should -Be OutputFileExists
        ($rows | Export-SparsityReport twice.html -Force -PassThru).Name | Should -Be twice.html
    }

    It 'takes rows as JSON and gives the same bytes for them' {
        $rows | Export-SparsityReport one.html
        $rows | ConvertTo-Json -EnumsAsStrings | ConvertFrom-Json | Export-SparsityReport two.html
        (Get-FileHash two.html).Hash | Should -Be (Get-FileHash one.html).Hash
    }

    It 'takes measurements, and only says what it would do under -WhatIf' {
        $time = [SparseFrontier.KernelMeasurement]@{ Phase = 'Decode'; Method = 'Quest'; Device = 'cpu'; SequenceLength = 64; QueryHeads = 2; KvHeads = 1; HeadDimension = 8; Sparsity = 0.5; SpeedUp = 1.5; TotalMilliseconds = 2 }
        $rows | Export-SparsityReport timed.html -KernelMeasurement $time -Title '<Own & title>'
        Get-Content timed.html -Raw | Should -Match '&lt;Own &amp; title&gt;'
        Get-Content timed.html -Raw | Should -Match 'Decode on cpu'
        $rows | Export-SparsityReport not.html -WhatIf
        'not.html' | Should -Not -Exist
    }
}

Describe 'examples/Report.ps1' {
    It 'makes a report of results on disk' {
        $model = New-TinyModel (Join-Path TestDrive: checkpoints tiny)
        $run = Get-SmallRun $model (Join-Path TestDrive: results)
        $null = Invoke-SparseAttentionRun Dense, Quest -Sparsity 0.5 @run
        $output = Join-Path (Resolve-Path TestDrive:/).ProviderPath example.html
        & (Join-Path (Get-RepositoryRoot) examples Report.ps1) -ResultPath (Join-Path TestDrive: results) -Path $output -KernelLength 512 6>$null | Should -BeOfType System.IO.FileInfo
        Get-Content $output -Raw | Should -Match 'id="roofline"'
        & (Join-Path (Get-RepositoryRoot) examples Report.ps1) -ResultPath (Join-Path TestDrive: results) -Path $output 6>$null | Should -BeOfType System.IO.FileInfo
    }
}
