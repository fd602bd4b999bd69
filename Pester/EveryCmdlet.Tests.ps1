<# What holds for every cmdlet, so that none is forgotten: a new one needs a line here. What is special to a cmdlet is in its own file. #>
BeforeDiscovery {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    Import-SparseFrontier

    # Call: what it emits on a small run. Wrong: a call that fails, and the id of its error. Writing: a call that would write or cost, and what -WhatIf says of it.
    $table = @(
        @{ Name = 'Compare-SparseAttentionResult'; Call = { $rows | Compare-SparseAttentionResult $rows }; Wrong = { $rows | Compare-SparseAttentionResult $rows -ConfidenceLevel 2 }; Id = 'ParameterInvalid' }
        @{ Name = 'Export-AttentionTrace'; Call = { Export-AttentionTrace -Layer 0 -OutputPath "$folder/trace" -Force -PassThru @run }; Wrong = { Export-AttentionTrace -Layer 99 -OutputPath "$folder/trace" @run }; Id = 'ParameterInvalid'
            Writing = { Export-AttentionTrace -Layer 0 -OutputPath "$folder/not" @bare }; Says = '^Write queries, keys and values of sample 0 of Dense, Niah at 960 tokens on bare, .+ on target .+not' }
        @{ Name = 'Export-SparseAttentionBundle'; Call = { $rows | Export-SparseAttentionBundle "$folder/$PID-$([guid]::NewGuid()).zip" -PassThru }; Wrong = { $rows | Export-SparseAttentionBundle Env:/a.zip }; Id = 'PathNotFileSystem'
            Writing = { $rows | Export-SparseAttentionBundle "$folder/not.zip" }; Says = '^Write a bundle of 2 runs" on target ".+not\.zip' }
        @{ Name = 'Export-SparseAttentionResult'; Call = { $rows | Export-SparseAttentionResult "$folder/$PID-$([guid]::NewGuid()).jsonl.gz" -PassThru }; Wrong = { $rows | Export-SparseAttentionResult Env:/a.jsonl }; Id = 'PathNotFileSystem'; File = $true
            Writing = { $rows | Export-SparseAttentionResult "$folder/not.jsonl" }; Says = '^Write 2 rows with the scores of their samples" on target ".+not\.jsonl' }
        @{ Name = 'Export-SparsityReport'; Call = { $rows | Export-SparsityReport "$folder/$PID-$([guid]::NewGuid()).html" -PassThru }; Wrong = { $rows | Export-SparsityReport Env:/a.html }; Id = 'PathNotFileSystem'; File = $true
            Writing = { $rows | Export-SparsityReport "$folder/not.html" }; Says = '^Write a report of 2 runs" on target ".+not\.html' }
        @{ Name = 'Get-SparseAttentionCost'; Call = { Get-SparseAttentionCost Qwen2.5-7B Quest -Sparsity 0.5 }; Wrong = { Get-SparseAttentionCost NoSuchModel }; Id = 'ModelNotFound' }
        @{ Name = 'Get-SparseAttentionDevice'; Call = { Get-SparseAttentionDevice cpu }; Wrong = { Get-SparseAttentionDevice tpu:7 }; Id = 'DeviceNotFound' }
        @{ Name = 'Get-SparseAttentionMethod'; Call = { Get-SparseAttentionMethod }; Wrong = { Get-SparseAttentionMethod NoSuch }; Id = 'MethodNotFound' }
        @{ Name = 'Get-SparseAttentionModel'; Call = { Get-SparseAttentionModel $model }; Wrong = { Get-SparseAttentionModel "$folder/none" }; Id = 'ModelNotFound' }
        @{ Name = 'Get-SparseAttentionPlan'; Call = { Get-SparseAttentionPlan Quest -Sparsity 0.5 @run }; Wrong = { Get-SparseAttentionPlan NoSuch @run }; Id = 'MethodNotFound' }
        @{ Name = 'Get-SparseAttentionResult'; Call = { Get-SparseAttentionResult $results }; Wrong = { Get-SparseAttentionResult "$folder/none" }; Id = 'FileNotFound' }
        @{ Name = 'Get-SparseAttentionTask'; Call = { Get-SparseAttentionTask }; Wrong = { Get-SparseAttentionTask NoSuch }; Id = 'TaskNotFound' }
        @{ Name = 'Get-SparsityFinding'; Call = { $rows | Get-SparsityFinding }; Wrong = { $rows | Get-SparsityFinding -Name NoSuch }; Id = 'ParameterInvalid' }
        @{ Name = 'Get-SparsityPareto'; Call = { $rows | Get-SparsityPareto }; Wrong = { $rows | Get-SparsityPareto -Cost NoSuch }; Id = 'ParameterInvalid' }
        @{ Name = 'Get-SparsityRecommendation'; Call = { $rows | Get-SparsityRecommendation -MaximumDrop 0.5 }; Wrong = { $rows | Get-SparsityRecommendation -MaximumDrop 2 }; Id = 'ParameterInvalid' }
        @{ Name = 'Import-SparseAttentionBundle'; Call = { Import-SparseAttentionBundle "$folder/paper.zip" }; Wrong = { Import-SparseAttentionBundle "$folder/none.zip" }; Id = 'FileNotFound'
            Writing = { Import-SparseAttentionBundle "$folder/paper.zip" -ResultPath "$folder/not" }; Says = '^Add run [0-9a-f]{16} \(.+Niah@960 .+, 2 samples, seed 43\)" on target ".+not' }
        @{ Name = 'Import-SparseAttentionResult'; Call = { Import-SparseAttentionResult "$folder/kvpress" -ResultPath "$folder/imported" }; Wrong = { Import-SparseAttentionResult "$folder/none" -ResultPath "$folder/imported" }; Id = 'FileNotFound'
            Writing = { Import-SparseAttentionResult "$folder/kvpress" -ResultPath "$folder/not" }; Says = '^Import niah_single_1 by kvpress from ''.+''" on target ".+not' }
        @{ Name = 'Invoke-AttentionTrace'; Call = { Invoke-AttentionTrace BlockSparse -Path "$folder/traces/*" -Sparsity 0.5 }; Wrong = { Invoke-AttentionTrace BlockSparse -Path "$folder/none" }; Id = 'FileNotFound'
            Writing = { Invoke-AttentionTrace BlockSparse -Path "$folder/traces/*" -Sparsity 0.5 -OutputPath "$folder/not" }; Says = '^Write what BlockSparse selects and computes on ''.+traces.+''" on target ".+not' }
        @{ Name = 'Invoke-SparseAttentionRun'; Call = { Invoke-SparseAttentionRun Quest -Sparsity 0.5 -ResultPath $results @run }; Wrong = { Invoke-SparseAttentionRun NoSuch @run }; Id = 'MethodNotFound'
            Writing = { Invoke-SparseAttentionRun Dense, Quest -Sparsity 0.5 -ResultPath "$folder/not" @run }; Says = '^Run, with results in ''.+not'': at most 1920 prompt tokens, \d+\.\d GFLOP to read them, prefill 1 shared by 2 runs, 8 output tokens that read \d+\.\d MiB of cache\. No seconds are predicted: No run of tiny .+ on target "Quest 0\.5, Niah at 960 tokens on tiny, 2 samples, seed 43' }
        @{ Name = 'Measure-AttentionPattern'; Call = { Measure-AttentionPattern BlockSparse -Sparsity 0.5 -Layer 0 -Head 0 @run }; Wrong = { Measure-AttentionPattern Dense -Layer 99 @run }; Id = 'ParameterInvalid' }
        @{ Name = 'Measure-SparseKernel'; Call = { Measure-SparseKernel BlockSparse -SequenceLength 512 -Sparsity 0.5 -IterationCount 1 -QueryHeadCount 2 -KvHeadCount 1 -HeadDimension 16 }; Wrong = { Measure-SparseKernel NoSuch }; Id = 'MethodNotFound' }
        @{ Name = 'Measure-SparsityEffect'; Call = { $lengths | Measure-SparsityEffect }; Wrong = { $lengths | Measure-SparsityEffect -TargetError 2 }; Id = 'ParameterInvalid' }
        @{ Name = 'Measure-SparsityScaling'; Call = { $scores | Measure-SparsityScaling }; Wrong = { $scores[0..4] | Measure-SparsityScaling }; Id = 'DataInsufficient' }
        @{ Name = 'Measure-SparsityTolerance'; Call = { $rows | Measure-SparsityTolerance }; Wrong = { $rows | Measure-SparsityTolerance -MaximumDrop 2 }; Id = 'ParameterInvalid' }
        @{ Name = 'Merge-SparseAttentionResult'; Call = { Merge-SparseAttentionResult $results -ResultPath "$folder/all" }; Wrong = { Merge-SparseAttentionResult "$folder/none" -ResultPath "$folder/all" }; Id = 'FileNotFound'
            Writing = { Merge-SparseAttentionResult $results -ResultPath "$folder/not" }; Says = '^Take in and complete the runs of .+results" on target ".+not' }
        @{ Name = 'New-SparseAttentionSample'; Call = { New-SparseAttentionSample Niah -SequenceLength 960 -Model $model -ShortInstructions -TaskParameter @{ Queries = 1 } }; Wrong = { New-SparseAttentionSample NoSuch }; Id = 'TaskNotFound' }
        @{ Name = 'New-SparseAttentionSweep'; Call = { New-SparseAttentionSweep Quest -Sparsity 0.5 @run }; Wrong = { New-SparseAttentionSweep NoSuch @run }; Id = 'MethodNotFound' }
        @{ Name = 'Register-SparseAttentionMethod'; Call = { Register-SparseAttentionMethod EveryLoud -Unit Tokens { param($units) $units.Similarity() } }; Wrong = { Register-SparseAttentionMethod Quest -Unit Pages { 1 } }; Id = 'NameTaken' }
        @{ Name = 'Register-SparseAttentionTask'; Call = { Register-SparseAttentionTask EveryFirst { param($seed, $units) @{ Context = "word$seed"; Question = 'What?'; Answer = "word$seed" } } }; Wrong = { Register-SparseAttentionTask Niah { @{} } }; Id = 'NameTaken' }
        @{ Name = 'Remove-SparseAttentionResult'; Call = { Invoke-SparseAttentionRun Dense -ResultPath "$folder/removed" @run | Remove-SparseAttentionResult -Confirm:$false -PassThru }; Wrong = { Remove-SparseAttentionResult NoSuch -ResultPath $results -Confirm:$false }; Id = 'RunNotFound'
            Writing = { $rows | Remove-SparseAttentionResult }; Says = '^Remove run [0-9a-f]{16} with 2 samples" on target ".+results' }
        @{ Name = 'Show-AttentionMask'; Call = { Show-AttentionMask BlockSparse -Sparsity 0.5 -Width 40 @run }; Wrong = { Show-AttentionMask Dense -Layer 99 @run }; Id = 'ParameterInvalid'; Text = $true
            Writing = { Show-AttentionMask BlockSparse -Sparsity 0.5 -OutputPath "$folder/not.html" @bare }; Says = '^Write attention masks" on target ".+not\.html' }
        @{ Name = 'Show-SparsityPareto'; Call = { $rows | Get-SparsityPareto | Show-SparsityPareto -Width 60 }; Wrong = { $rows | Get-SparsityPareto | Show-SparsityPareto -Height 0 }; Id = 'ParameterInvalid'; Text = $true }
        @{ Name = 'Test-KernelCorrectness'; Call = { Test-KernelCorrectness Gate }; Wrong = { Test-KernelCorrectness NoSuch }; Id = 'KernelNotFound' }
        @{ Name = 'Test-SparsityClaim'; Call = { $rows | Test-SparsityClaim 'Quest not below Dense' -Margin 0.5 }; Wrong = { $rows | Test-SparsityClaim 'nonsense' }; Id = 'ParameterInvalid' }
    )
    # Slurm's programs are played by scripts, which Windows would not start; tests/slurm/run.sh submits to a real one.
    if (-not $IsWindows) {
        $table += @(
            @{ Name = 'Get-SparseAttentionJob'; Call = { Get-SparseAttentionJob -ResultPath "$folder/cluster" }; Wrong = { Get-SparseAttentionJob 99 -ResultPath "$folder/cluster" }; Id = 'JobNotFound' }
            @{ Name = 'Stop-SparseAttentionJob'; Call = { Stop-SparseAttentionJob 4711 -ResultPath "$folder/cluster" -PassThru }; Wrong = { Stop-SparseAttentionJob 99 -ResultPath "$folder/cluster" }; Id = 'JobNotFound'
                Writing = { Stop-SparseAttentionJob * -ResultPath "$folder/cluster" }; Says = '^Cancel" on target "job 4711 \(sparsefrontier, 2 runs in 1 element\)' }
            @{ Name = 'Submit-SparseAttentionRun'; Call = { Submit-SparseAttentionRun Quest -Sparsity 0.5 -WorkerPath $slurm -ResultPath "$folder/submitted" @run }; Wrong = { Submit-SparseAttentionRun Quest -WorkerPath "$folder/none" @run }; Id = 'FileNotFound'
                Writing = { Submit-SparseAttentionRun Dense, Quest -Sparsity 0.5 -WorkerPath $slurm -ResultPath "$folder/not" @run }
                Says = '(?s)^Submit to Slurm, with results in ''.+not'', at most 1920 prompt tokens, \d+\.\d GFLOP to read them, 16 output tokens that read \d+\.\d MiB of cache, the script\n#!/bin/bash\n#SBATCH --job-name.+ on target "2 runs in 1 element' }
        )
    }
    $flat = $table | Where-Object { -not $_.Text -and -not $_.File }
    $writing = $table | Where-Object Writing
}

BeforeAll {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    Import-SparseFrontier
    $script:root = Get-RepositoryRoot

    # Everything that the calls name. In a hashtable, so that jobs and runspaces get the same.
    $folder = (Get-Item TestDrive:/).FullName
    $model = New-TinyModel "$folder/tiny"
    $results = "$folder/results"
    $run = Get-SmallRun $model
    $run.SampleCount = 2
    $rows = Invoke-SparseAttentionRun Dense, Quest -Sparsity 0.5 -ResultPath $results @run -WarningAction Ignore
    $rows | Export-SparseAttentionBundle "$folder/paper.zip"
    Export-AttentionTrace -Layer 0 -OutputPath "$folder/traces" @run
    Push-Location $folder
    New-ForeignResult
    Pop-Location
    $lengths = foreach ($length in 1024, 2048, 4096) {
        foreach ($point in @('Dense', 0.0, 1.0), @('Quest', 0.5, 1.0), @('Quest', 0.9, 0.8)) {
            $row = New-ResultRow @point
            @{ Method = 'Dense'; DecodeMethod = $row.DecodeMethod; Task = 'Niah'; Model = 'tiny'; SequenceLength = $length; RunId = "$($row.RunId)-$length"
                DecodeSparsity = $row.DecodeSparsity; RequestedDecodeSparsity = $row.DecodeSparsity; Score = $row.Score; SampleCount = 20 }
        }
    }
    $scores = foreach ($row in $lengths) { $copy = $row.Clone(); $copy.Score = 0.9 - $row.SequenceLength / 20000 - $row.DecodeSparsity / 4; $copy }
    # A configuration without weights: what loads a model fails on it.
    $bare = $run.Clone()
    $bare.Model = "$folder/bare"
    Copy-Item $model $bare.Model -Recurse
    Remove-Item "$($bare.Model)/*.safetensors"
    $slurm = New-FakeSlurm "$folder/slurm" -Queue '4711|0|PENDING|Resources'
    $path = $env:PATH
    $env:PATH = "$slurm$([IO.Path]::PathSeparator)$path"
    if (-not $IsWindows) { $null = Submit-SparseAttentionRun Dense, Quest -Sparsity 0.5 -WorkerPath $slurm -ResultPath "$folder/cluster" @run }
    $script:context = @{ bare = $bare; slurm = $slurm; folder = $folder; model = $model; results = $results; run = $run; rows = $rows; lengths = $lengths; scores = $scores }

    # A script block of the table in this scope, with what it names.
    function Invoke-Call([scriptblock] $Call) {
        $ErrorActionPreference = 'Continue'
        & ([scriptblock]::Create("param(`$context) foreach (`$name in `$context.Keys) { Set-Variable `$name `$context[`$name] }`n$Call")) $context 3>$null
    }
}

AfterAll { $env:PATH = $path }

Describe 'Every cmdlet' {
    It 'is in this table' -ForEach @{ names = $table.Name } -Skip:$IsWindows {
        (Get-Module SparseFrontier).ExportedCmdlets.Keys | Sort-Object | Should -Be ($names | Sort-Object)
    }

    It 'that asks before it writes is tried with -WhatIf' -ForEach @{ table = $table } {
        foreach ($row in $table) { (Get-Command $row.Name).Parameters.ContainsKey('WhatIf') | Should -Be ($null -ne $row.Writing) -Because $row.Name }
    }
}

Describe '<Name>' -ForEach $table {
    It 'emits what its help says' {
        $output = @(Invoke-Call $Call)
        $output.Count | Should -BeGreaterThan 0
        $types = (Get-Command $Name).OutputType.Type
        $output | ForEach-Object { $_.GetType() | Should -BeIn $types }
    }

    It 'formats in a window of 80 columns' {
        $text = Invoke-Call $Call | Out-String -Width 80
        $text.Trim() | Should -Not -BeNullOrEmpty
        $text | Should -Not -Match '#ERR'
    }

    It 'lists what matters, and all when asked' {
        $first = @(Invoke-Call $Call)[0]
        if ($first -is [string] -or $first -is [bool] -or $first -is [System.IO.FileInfo]) { return }
        $listed = @(($first | Format-List | Out-String -Width 200) -split '\r?\n' -match '^\w[^:]*:').Count
        $listed | Should -BeGreaterThan 1
        $listed | Should -BeLessOrEqual 30
        @($first.psobject.Properties).Count | Should -BeGreaterOrEqual $listed
        ($first | Format-List * | Out-String -Width 200) | Should -Match "(?m)^$(@($first.psobject.Properties)[-1].Name)\s+:"
    }

    It 'reports by the id <Id>' { Get-ErrorId { Invoke-Call $Wrong } | Should -Contain $Id }

    It 'takes or refuses a variable that holds nothing, and never fails by accident' {
        $own = (Get-Command $Name).Parameters.Values | Where-Object { $_.Attributes.HelpMessage -and $_.ParameterType -ne [switch] }
        $at = "$Call".LastIndexOf($Name) + $Name.Length
        # Where no folder is named, results are here.
        Push-Location (New-Item -ItemType Directory "$folder/here-$Name")
        foreach ($parameter in $own.Name) {
            # The ids of accidents are the names of .NET's exceptions.
            Get-ErrorId { Invoke-Call ([scriptblock]::Create("$Call".Insert($at, " -$parameter `$null"))) } | Should -Not -Match '^System\.' -Because "-$parameter"
        }
        Pop-Location
    }

    It 'ends early when the pipeline has enough' { @(Invoke-Call $Call | Select-Object -First 1).Count | Should -Be 1 }

    It 'completes its parameters, each with words' {
        $names = @(Get-Completion "$Name -" | Where-Object { $_.ToolTip })
        $own = (Get-Command $Name).Parameters.Values | Where-Object { $_.Attributes.HelpMessage -and $true -notin $_.Attributes.DontShow }
        foreach ($parameter in $own) {
            $completion = $names | Where-Object CompletionText -EQ "-$($parameter.Name)"
            $words = @($parameter.Attributes.HelpMessage | Where-Object { $_ })[0]
            $completion.ToolTip | Should -Match ([regex]::Escape($words))
        }
        $own | Should -Not -BeNullOrEmpty
    }

    It 'has help with three examples' {
        $help = Get-Help $Name -Full
        $help.Synopsis | Should -Match '\.$'
        @($help.examples.example).Count | Should -BeGreaterOrEqual 3
    }

    It 'takes each of its pipeline parameters by value or by property name' {
        $parameters = (Get-Command $Name).ParameterSets.Parameters
        $piped = $parameters | Where-Object { $_.ValueFromPipeline -or $_.ValueFromPipelineByPropertyName }
        if ($Name -notlike 'Register-*') { $piped | Should -Not -BeNullOrEmpty }
        $parameters | Where-Object ValueFromPipeline | ForEach-Object { $_.HelpMessage | Should -Not -BeNullOrEmpty }
    }
}

Describe 'Rows of <Name>' -ForEach $flat {
    BeforeAll { $output = @(Invoke-Call $Call); $columns = $output[0].psobject.Properties.Name }

    It 'survive JSON and CSV' {
        $json = @(ConvertTo-Json $output -EnumsAsStrings | ConvertFrom-Json)
        $csv = @($output | ConvertTo-Csv | ConvertFrom-Csv)
        foreach ($i in 0..($output.Count - 1)) {
            foreach ($column in $columns) {
                $value = $output[$i].$column
                $text = $value -is [enum] ? "$value" : $value
                # Numbers keep 15 digits at least; CSV holds text, and no null.
                $cell = "$($csv[$i].$column)"
                if ($value -is [double]) {
                    $json[$i].$column, [double] $cell | ForEach-Object { [Math]::Abs($_ - $value) | Should -BeLessOrEqual (1e-14 * [Math]::Abs($value)) -Because "column $column" }
                    continue
                }

                $json[$i].$column | Should -Be $text -Because "column $column"
                if ($value -isnot [datetimeoffset]) { $cell | Should -Be "$value" -Because "column $column" }
            }
        }
    }

    It 'survive remoting' {
        # What a remote session or a job sends.
        $sent = @([System.Management.Automation.PSSerializer]::Deserialize([System.Management.Automation.PSSerializer]::Serialize($output, 3)))
        $sent.Count | Should -Be $output.Count
        foreach ($i in 0..($output.Count - 1)) {
            foreach ($column in $columns) {
                $value = $output[$i].$column
                # An enum travels as its number, a time in whole seconds.
                if ($value -is [enum]) { [int] $sent[$i].$column | Should -Be ([int] $value) -Because "column $column" }
                elseif ($value -is [double]) { [Math]::Abs($sent[$i].$column - $value) | Should -BeLessOrEqual (1e-14 * [Math]::Abs($value)) -Because "column $column" }
                elseif ($value -is [datetimeoffset]) { "$($sent[$i].$column)" | Should -Be "$value" -Because "column $column" }
                else { $sent[$i].$column | Should -Be $value -Because "column $column" }
            }
        }
    }

    It 'filter, sort and group by every column' {
        foreach ($column in $columns) {
            $groups = $output | Group-Object $column
            ($groups | Measure-Object Count -Sum).Sum | Should -Be $output.Count
            @($output | Sort-Object $column).Count | Should -Be $output.Count
            @($output | Where-Object $column -EQ $output[0].$column).Count | Should -BeGreaterOrEqual 1
        }
    }
}

Describe '<Name> -WhatIf' -ForEach $writing {
    It 'says what it would do, and does nothing' {
        $before = Get-ChildItem $folder -Recurse | ForEach-Object { "$($_.FullName) $($_.LastWriteTimeUtc.Ticks)" }
        $said = Get-WhatIfText { $script:emitted = Invoke-Call ([scriptblock]::Create("`$WhatIfPreference = `$true`n$Writing")) }
        $said -match $Says | Should -Not -BeNullOrEmpty -Because "it said: $said"
        # What is imported can be looked at beforehand; nothing else is there to emit.
        if ($Name -ne 'Import-SparseAttentionBundle') { $emitted | Should -BeNullOrEmpty }
        Get-ChildItem $folder -Recurse | ForEach-Object { "$($_.FullName) $($_.LastWriteTimeUtc.Ticks)" } | Should -Be $before
    }
}

Describe 'All cmdlets' {
    It 'run in a background job' -ForEach @{ calls = $table } {
        $job = Start-Job -ArgumentList $root, $context, ($calls | ForEach-Object { @{ Name = $_.Name; Call = "$($_.Call)" } }) {
            param($root, $context, $calls)
            Import-Module "$root/SparseFrontier.psd1"
            foreach ($name in $context.Keys) { Set-Variable $name $context[$name] }
            foreach ($call in $calls) { [pscustomobject]@{ Name = $call.Name; Output = @(& ([scriptblock]::Create($call.Call)) 3>$null) } }
        }
        $done = $job | Receive-Job -Wait -AutoRemoveJob
        foreach ($call in $calls) { ($done | Where-Object Name -EQ $call.Name).Output | Should -Not -BeNullOrEmpty -Because $call.Name }
    }

    It 'run beside each other in parallel runspaces' -ForEach @{ calls = $table } {
        # One call of each kind in each runspace at once; what is registered is so for the process.
        $context = $context
        $done = $calls | Where-Object Name -NotIn 'Export-AttentionTrace', 'Invoke-SparseAttentionRun' | ForEach-Object { @{ Name = $_.Name; Call = "$($_.Call)" } } | ForEach-Object -ThrottleLimit 4 -Parallel {
            Import-Module "$using:root/SparseFrontier.psd1"
            $context = $using:context
            foreach ($name in $context.Keys) { Set-Variable $name $context[$name] }
            [pscustomobject]@{ Name = $_.Name; Output = @(& ([scriptblock]::Create($_.Call)) 3>$null) }
        }
        foreach ($row in $done) { $row.Output | Should -Not -BeNullOrEmpty -Because $row.Name }
        $done.Count | Should -Be ($calls.Count - 2)
    }
}
