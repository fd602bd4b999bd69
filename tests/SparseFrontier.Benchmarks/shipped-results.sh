#!/usr/bin/env bash
# Runs behind the shipped summary, by the command line alone; each model, task and length is a cell of 31 runs (25 at 2,048 tokens, where some sparsities cannot be reached).
#
#   shipped-results.sh SPARSEFRONTIER RESULTS DEVICE SAMPLES MODEL TASK LENGTH [OPTIONS]
#
# SPARSEFRONTIER is the command line (several words where it is started by dotnet). Cells that were begun go on. Those computed on a GPU had --max-output 512: no answer is longer, and lost ones do not go
# on to 1,024 tokens. Afterwards:
#   sparsefrontier kernels measure SnapKV AdaSnapKV Quest BlockSparse VerticalSlash FlexPrefill --length 1024,2048,4096,8192 --sparsity 0.5,0.7,0.8,0.9,0.95 \
#       --query-heads 8 --kv-heads 4 --head-dimension 64 --device DEVICE --json > kernels.jsonl
#   dotnet run -c Release --project tests/SparseFrontier.Benchmarks -- shipped-results RESULTS src/SparseFrontier.Engine/Experiments/Data/shipped-results.jsonl.gz kernels.jsonl \
#       "cuda:0=NVIDIA H200" "cpu=Intel Xeon" "kernels:cuda:0=NVIDIA H200" "kernels:cpu=AMD EPYC, 2 cores"
set -euo pipefail
program=$1 results=$2 device=$3 samples=$4 model=$5 task=$6 length=$7
shift 7
$program run --model "$model" --task "$task" --length "$length" --samples "$samples" --method Dense,BlockSparse,VerticalSlash,FlexPrefill,SnapKV,AdaSnapKV,Quest --sparsity 0.5,0.7,0.8,0.9,0.95 \
    --short-instructions --device "$device" --batch 64 --results "$results" "$@"
