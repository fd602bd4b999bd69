#!/usr/bin/env bash
# Puts what examples/ReproduceFindings.ps1 wrote and the kernels of this machine together as docs/findings.jsonl.br, which comes with the engine, docs/patterns.jsonl.br and docs/findings.md.
#
#   shipped-results.sh SPARSEFRONTIER FINDINGS DEVICE NAME
#
# SPARSEFRONTIER is the command line (several words where it is started by dotnet); FINDINGS the folder that the script wrote (findings.jsonl.gz, patterns.jsonl) from runs on DEVICE, which is called NAME,
# such as "NVIDIA H200". Kernels of other devices that are in docs/findings.jsonl.br stay. A machine without a desktop at work measures best: disturbed kernels are left out.
set -euo pipefail
program=$1 findings=$2 device=$3 name=$4
cd "$(dirname "$0")/../.."
$program kernels measure SnapKV AdaSnapKV Quest BlockSparse VerticalSlash FlexPrefill --length 1024,2048,4096,8192 --sparsity 0.5,0.7,0.8,0.9,0.95 \
    --query-heads 8 --kv-heads 4 --head-dimension 64 --device "$device" --json > "$findings/kernels.jsonl"
dotnet run -c Release --project tests/SparseFrontier.Benchmarks -- shipped-results docs/findings.jsonl.br "rows:$findings/findings.jsonl.gz" kernels:docs/findings.jsonl.br "kernels:$findings/kernels.jsonl" \
    "device:$device=$name" "kernel-device:$device=$name"
dotnet run -c Release --project tests/SparseFrontier.Benchmarks -- shipped-patterns docs/patterns.jsonl.br "$findings/patterns.jsonl"
$program findings docs/findings.jsonl.br --markdown --patterns docs/patterns.jsonl.br > docs/findings.md
