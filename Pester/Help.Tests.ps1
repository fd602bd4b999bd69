BeforeDiscovery {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    Import-SparseFrontier
    $commands = (Get-Module SparseFrontier).ExportedCmdlets.Keys | Sort-Object
    $topics = Get-ChildItem (Join-Path (Get-RepositoryRoot) docs) -Filter about_*.md | ForEach-Object BaseName
    $examples = foreach ($command in $commands) {
        $number = 0
        foreach ($example in (Get-Help $command -Examples).examples.example) { @{ command = $command; number = ++$number; code = $example.code } }
    }
}

BeforeAll {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    Import-SparseFrontier
}

Describe 'Get-Help <_>' -ForEach $commands {
    BeforeAll { $help = Get-Help $_ -Full }

    It 'finds the synopsis, the description and three examples' {
        $help.Synopsis | Should -Match '^[A-Z].*\.$'
        $help.description.Text | Should -Not -BeNullOrEmpty
        @($help.examples.example).Count | Should -BeGreaterOrEqual 3
    }

    It 'describes every parameter as it binds' {
        $common = [System.Management.Automation.Cmdlet]::CommonParameters
        foreach ($parameter in (Get-Command $_).Parameters.Values | Where-Object { $_.Name -notin $common -and $true -notin $_.Attributes.DontShow }) {
            $described = $help.parameters.parameter | Where-Object name -EQ $parameter.Name
            $described.description.Text | Should -Not -BeNullOrEmpty -Because "-$($parameter.Name) needs a description"
            $attribute = $parameter.Attributes | Where-Object { $_ -is [Parameter] } | Select-Object -First 1
            $described.required | Should -Be "$($attribute.Mandatory)" -Because "-$($parameter.Name)"
            $described.position | Should -Be ($attribute.Position -ge 0 ? "$($attribute.Position)" : 'named') -Because "-$($parameter.Name)"
            $described.pipelineInput | Should -Be $(
                if ($attribute.ValueFromPipeline -and $attribute.ValueFromPipelineByPropertyName) { 'True (ByValue, ByPropertyName)' }
                elseif ($attribute.ValueFromPipeline) { 'True (ByValue)' }
                elseif ($attribute.ValueFromPipelineByPropertyName) { 'True (ByPropertyName)' }
                else { 'False' }) -Because "-$($parameter.Name)"
        }
    }
}

Describe 'Get-Help <_>' -ForEach $topics {
    It 'finds the topic' {
        Get-Help $_ | Out-String | Should -Match "TOPIC\s+$_"
    }

    It 'shows code that parses' {
        $text = Get-Content (Join-Path (Get-RepositoryRoot) docs "$_.md") -Raw
        foreach ($block in [regex]::Matches($text, '(?ms)^```powershell\n(.*?)^```')) {
            $errors = $null
            $null = [System.Management.Automation.Language.Parser]::ParseInput($block.Groups[1].Value, [ref]$null, [ref]$errors)
            $errors | Should -BeNullOrEmpty
        }
    }
}

Describe 'Examples' {
    BeforeAll {
        # Where examples find what they name: a model that answers fast, a table, other rows, checkpoints, results.
        $model = New-TinyModel (Join-Path TestDrive: checkpoints tiny) -ContextLength 8192
        $small = Get-SmallRun $model
        'SequenceLength', 'Task', 'TaskParameter' | ForEach-Object { $small.Remove($_) }
        $saved = $global:PSDefaultParameterValues.Clone()
        foreach ($parameter in $small.Keys) {
            $global:PSDefaultParameterValues["New-SparseAttentionSweep:$parameter"] = $small[$parameter]
            $global:PSDefaultParameterValues["Invoke-SparseAttentionRun:$parameter"] = $small[$parameter]
        }
        $global:PSDefaultParameterValues['Measure-SparseKernel:IterationCount'] = 1
        Push-Location TestDrive:/
        'Method,Task,SequenceLength,Sparsity', 'Quest,Niah,2048,0.5', 'BlockSparse,Niah,2048,' | Set-Content grid.csv
        New-ResultRow | Select-Object *, @{ Name = 'PrefillSeconds'; Expression = { 2 } } -ExcludeProperty PrefillSeconds | ConvertTo-Json -Compress | Set-Content other.jsonl
        $null = Invoke-SparseAttentionRun Dense, Quest Niah -SequenceLength 1024 -Sparsity 0.5 -SampleCount 2
        $null = 1024, 1536 | ForEach-Object { Invoke-SparseAttentionRun Dense, Quest Niah -SequenceLength $_ -Sparsity 0.3, 0.5, 0.7, 0.9 -SampleCount 2 -ResultPath lengths }
        # The model answers nothing right, and a curve needs dense runs that do.
        Get-ChildItem lengths -Recurse -File -Include samples-*.jsonl, summary.json | ForEach-Object {
            (Get-Content $_ -Raw) -replace '"Score":( ?)0(?=[,}\r\n])', '"Score":${1}1' | Set-Content $_ -NoNewline
        }
        'baseline', 'nightly', 'from-alpha', 'from-beta' | ForEach-Object { Copy-Item results $_ -Recurse }
        $path = $env:PATH
        $env:SPARSEFRONTIER_WORKER = New-FakeSlurm (Join-Path (Convert-Path TestDrive:/) slurm)
        $env:PATH = "$env:SPARSEFRONTIER_WORKER$([IO.Path]::PathSeparator)$path"
        $null = New-SparseAttentionSweep Dense Niah -SequenceLength 1024 | Submit-SparseAttentionRun
        New-ForeignResult
    }

    AfterAll {
        Pop-Location
        $env:PATH = $path
        $env:SPARSEFRONTIER_WORKER = $null
        $global:PSDefaultParameterValues.Clear()
        foreach ($key in $saved.Keys) { $global:PSDefaultParameterValues[$key] = $saved[$key] }
    }

    It '<command>, example <number>, runs' -ForEach $examples {
        $ErrorActionPreference = 'Stop'
        { & ([scriptblock]::Create($code)) *>&1 | Out-String -Width 200 } | Should -Not -Throw
    }
}
