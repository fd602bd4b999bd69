#!/usr/bin/env bash
# Rows a second of frontier-7m on the first GPU, by the command line alone: nine budgets each of three decode methods, and of two prefill methods (row_rate.py).
#
#   throughput.sh SPARSEFRONTIER [BATCH]
#
# SPARSEFRONTIER is the command line (several words where it is started by dotnet). A row is one sample under one configuration; its gold answer is teacher-forced besides.
# LENGTHS and TASKS name others; SAMPLES are enough to fill a batch several times. The first run compiles kernels: run it twice.
set -euo pipefail
program=$1 batch=${2:-512}
here=$(dirname "$0")

prefill=
for k in 2 3 4 6 8 12 16 24 32; do
    prefill+=",BlockSparse;TopBlocks=$k,VerticalSlash;VerticalSize=$((k * 16));SlashSize=$((64 + k * 16))"
done

for length in ${LENGTHS:-2048 8192}; do
    for task in ${TASKS:-VariableTracking}; do
        rate() { # name, options...
            python3 "$here/row_rate.py" "$task, $length tokens, $1, batch $batch" \
                $program run --model frontier-7m --device cuda:0 --task "$task" --length "$length" --batch "$batch" --samples "${SAMPLES:-60}" "${@:2}"
        }
        rate "SnapKV, AdaSnapKV, Quest x 9" --decode-method SnapKV,AdaSnapKV,Quest --decode-sparsity 0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9
        rate "BlockSparse, VerticalSlash x 9" --method "${prefill#,}"
    done
done
