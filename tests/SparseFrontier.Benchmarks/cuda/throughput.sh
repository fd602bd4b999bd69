#!/usr/bin/env bash
# Samples a second of frontier-7m on the first GPU, by the command line alone: the time of many samples less the time of one, which holds what starting costs.
#
#   throughput.sh SPARSEFRONTIER [BATCH]
#
# SPARSEFRONTIER is the command line (several words where it is started by dotnet). A sample counts once for each of its configurations.
set -euo pipefail
program=$1 batch=${2:-64}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

seconds() { # samples, options...
    local samples=$1 start
    shift
    start=$(date +%s.%N)
    $program run --model frontier-7m --device cuda:0 --task Niah --batch "$batch" --results "$(mktemp -d -p "$work")" --samples "$samples" "$@" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
    echo "$(date +%s.%N) $start" | awk '{ print $1 - $2 }'
}

row() { # name, configurations, samples, options...
    local name=$1 configurations=$2 samples=$3 one many
    shift 3
    seconds 1 "$@" >/dev/null # compiles kernels that are not in the cache
    one=$(seconds 1 "$@")
    many=$(seconds "$samples" "$@")
    awk -v n="$name" -v c="$configurations" -v s="$samples" -v a="$one" -v b="$many" \
        'BEGIN { printf "%s: %d samples x %d configurations in %.1f s, one sample in %.1f s: %.0f a second\n", n, s, c, b, a, (s - 1) * c / (b - a) }'
}

for length in ${LENGTHS:-1024 2048 4096 8192}; do
    row "$length tokens, SnapKV 0.7" 1 "${SAMPLES:-65}" --length "$length" --decode-method SnapKV --decode-sparsity 0.7
    row "$length tokens, SnapKV, AdaSnapKV, Quest x 0.5, 0.6, 0.7, 0.8" 12 "${GRID_SAMPLES:-17}" --length "$length" --decode-method SnapKV,AdaSnapKV,Quest --decode-sparsity 0.5,0.6,0.7,0.8
done
