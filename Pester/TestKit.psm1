<# What the test files share. #>

function Get-RepositoryRoot { Split-Path $PSScriptRoot }

function Import-SparseFrontier { Import-Module (Join-Path (Get-RepositoryRoot) 'SparseFrontier.psd1') -Global }

<# This PowerShell's program and the arguments that come before its own: installed as a tool of .NET, it runs in the program dotnet. #>
function Get-PowerShellProgram {
    $path = (Get-Process -Id $PID).Path
    $path
    if ([IO.Path]::GetFileNameWithoutExtension($path) -eq 'dotnet') { [Reflection.Assembly]::GetEntryAssembly().Location }
}

<# The completions that a user sees at the end of a line. #>
function Get-Completion {
    param([Parameter(Mandatory)] [string] $Line)
    (TabExpansion2 -inputScript $Line -cursorColumn $Line.Length).CompletionMatches
}

<# The ids of the errors that a command writes or throws, without the cmdlet's name. #>
function Get-ErrorId {
    param([Parameter(Mandatory)] [scriptblock] $Script)
    try {
        $records = @(& $Script 2>&1 | Where-Object { $_ -is [System.Management.Automation.ErrorRecord] })
    }
    catch {
        $records = @($_)
    }
    $records.ForEach({ ($_.FullyQualifiedErrorId -split ',')[0] })
}

<# What commands say that they would do, one text for each "What if": only the host is told, and a transcript holds that. #>
function Get-WhatIfText {
    param([Parameter(Mandatory)] [scriptblock] $Script)
    $log = [System.IO.Path]::GetTempFileName()
    $null = Start-Transcript $log -UseMinimalHeader -Force
    try { $null = & $Script }
    finally { $null = Stop-Transcript }
    $text = (Get-Content $log -Raw) -replace '\r\n', "`n"
    Remove-Item $log
    @($text -split 'What if: Performing the operation "' | Select-Object -Skip 1)
}

<# Whether models/ holds a model to run with. #>
function Test-EmbeddedModel { [bool](Get-ChildItem (Join-Path (Get-RepositoryRoot) 'models') -Filter config.json -Recurse -ErrorAction Ignore) }

<# Writes a copy of the committed golden checkpoint, whose weights are kept packed as tests/golden/pack.mjs says. #>
function Expand-GoldenCheckpoint {
    param([Parameter(Mandatory)] [string] $Path)
    if (-not ('SparseFrontier.PesterKit.Planes' -as [type])) {
        Add-Type -TypeDefinition @'
namespace SparseFrontier.PesterKit {
    public static class Planes {
        public static byte[] Join(byte[] planes) {
            var content = new byte[System.BitConverter.ToInt64(planes, 0)];
            int count = (planes.Length - 8) / 4;
            for (int i = 0; i < content.Length; i++) { content[i] = planes[8 + (i % 4 * count) + (i / 4)]; }
            return content;
        }
    }
}
'@
    }
    $source = Join-Path (Get-RepositoryRoot) 'tests/golden/checkpoints/qwen3-hub-float16'
    $folder = (New-Item -ItemType Directory $Path -Force).FullName
    Copy-Item (Join-Path $source *.json) $folder
    $planes = [System.IO.MemoryStream]::new()
    $packed = [System.IO.Compression.BrotliStream]::new([System.IO.File]::OpenRead((Join-Path $source model.safetensors.planes.br)), [System.IO.Compression.CompressionMode]::Decompress)
    try { $packed.CopyTo($planes) } finally { $packed.Dispose() }
    [System.IO.File]::WriteAllBytes((Join-Path $folder model.safetensors), [SparseFrontier.PesterKit.Planes]::Join($planes.ToArray()))
}

<# The golden checkpoint with a tokenizer of single bytes beside it: a real, if untrained, model. #>
function New-TinyModel {
    param([Parameter(Mandatory)] [string] $Path, [int] $ContextLength = 1024)
    Expand-GoldenCheckpoint $Path
    $configuration = Join-Path $Path config.json
    (Get-Content $configuration -Raw) -replace '"max_position_embeddings": \d+', "`"max_position_embeddings`": $ContextLength" | Set-Content $configuration
    $vocabulary = [System.Collections.Specialized.OrderedDictionary]::new([StringComparer]::Ordinal)
    $next = 256
    foreach ($byte in 0..255) {
        # GPT-2's alphabet: printable bytes stand for themselves, the others for 256 and up.
        $printable = $byte -in 33..126 -or $byte -in 161..172 -or $byte -in 174..255
        $vocabulary.Add([string][char]($printable ? $byte : $next++), $byte + 3)
    }
    $tokenizer = @{
        version = '1.0'; added_tokens = @(); normalizer = $null; post_processor = $null
        pre_tokenizer = @{ type = 'ByteLevel'; add_prefix_space = $false; trim_offsets = $true; use_regex = $true }
        decoder = @{ type = 'ByteLevel' }
        model = @{ type = 'BPE'; vocab = $vocabulary; merges = @() }
    }
    $tokenizer | ConvertTo-Json -Depth 5 | Set-Content (Join-Path $Path tokenizer.json)
    (Resolve-Path $Path).ProviderPath
}

<# Parameters of the smallest run on a tiny model: seconds on two cores. #>
function Get-SmallRun {
    param([Parameter(Mandatory)] [string] $Model, [string] $ResultPath)
    $run = @{ Model = $Model; Task = 'Niah'; SequenceLength = 960; ShortInstructions = $true; TaskParameter = @{ Queries = 1 }; SampleCount = 1; MaximumOutputTokens = 4 }
    if ($ResultPath) { $run.ResultPath = $ResultPath }
    $run
}

<# A folder of programs that stand for Slurm's and take every job; tests/slurm/run.sh uses a real one. #>
function New-FakeSlurm {
    param([Parameter(Mandatory)] [string] $Path, [string] $Queue = '')
    $null = New-Item -ItemType Directory $Path -Force
    $programs = @{
        sbatch = 'case "$*" in *merge*) echo 4712;; *) echo 4711;; esac'; scontrol = 'echo "MaxArraySize = 1001"'; sacctmgr = 'exit 1'
        squeue = "echo '$Queue'"; scancel = 'exit 0'
    }
    foreach ($name in $programs.Keys) {
        Set-Content (Join-Path $Path $name) "#!/bin/sh`n$($programs[$name])`n" -NoNewline
        if (-not $IsWindows) { chmod +x (Join-Path $Path $name) }
    }
    Set-Content (Join-Path $Path sparsefrontier) ''
    $Path
}

<# Small results as kvpress, lm-evaluation-harness and The Sparse Frontier's code write them, in folders of their names here. #>
function New-ForeignResult {
    foreach ($press in 'no_press', 'snapkv') {
        $ratio = $press -eq 'snapkv' ? '0.5' : '0.0'
        $folder = (New-Item -ItemType Directory "kvpress/results/ruler__4096__org--small__${press}__$ratio" -Force).FullName
        "dataset: ruler`ndata_dir: '4096'`nmodel: org/small`npress_name: $press`ncompression_ratio: $ratio`nseed: 42" | Set-Content "$folder/config.yaml"
        '{"niah_single_1": {"string_match": 100.0}}' | Set-Content "$folder/metrics.json"
        @('task,answer,question,predicted_answer'; 1..8 | ForEach-Object { "niah_single_1,['$_'],What?,It is $_." }) | Set-Content "$folder/predictions.csv"
    }

    $null = New-Item -ItemType Directory harness, experiments/results/ruler_vt/num_chains@2+max_input_tokens@8192/qwen_7b/dense/default -Force
    '{"results": {"quiz": {"exact_match,none": 0.5, "exact_match_stderr,none": 0.1}}, "configs": {}, "n-samples": {"quiz": {"effective": 25}}, "model_name": "org/small"}' |
        Set-Content harness/results.json
    '{"iou": 0.9, "iou_variance": 0.02, "total_samples": 100, "average_attention_sparsity": 0.0}' |
        Set-Content experiments/results/ruler_vt/num_chains@2+max_input_tokens@8192/qwen_7b/dense/default/evaluation_results_100.json
}

<# Rows that need no run. #>
function New-ResultRow {
    param([string] $Method = 'Quest', [double] $Sparsity = 0.9, [double] $Score = 0.5, [string] $Task = 'Niah')
    [SparseFrontier.SparseAttentionResult]@{
        RunId = "$Method-$Sparsity"; Method = 'Dense'; DecodeMethod = $Method; Task = $Task; Model = 'tiny'; SequenceLength = 2048
        PrefillSparsity = 0; DecodeSparsity = $Sparsity; RequestedSparsity = $Sparsity
        Score = $Score; ScoreLow = $Score - 0.05; ScoreHigh = $Score + 0.05; SampleCount = 20; ElapsedSeconds = 12.5
    }
}

Export-ModuleMember -Function Get-RepositoryRoot, Get-PowerShellProgram, Import-SparseFrontier, Get-Completion, Get-ErrorId, Get-WhatIfText, Test-EmbeddedModel, Expand-GoldenCheckpoint, New-TinyModel, Get-SmallRun, New-FakeSlurm, New-ForeignResult, New-ResultRow
