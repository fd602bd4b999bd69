#!/usr/bin/env bash
# Rows a second of a sweep on one GPU and on two, samples side by side, once it runs: on a machine with two GPUs alike that nothing else uses.
#   two_gpus_rate.sh SPARSEFRONTIER FOLDER [SECONDS]
# Each sweep is stopped by TERM after SECONDS (16); rows on the disk are counted every 0.3 s, and the rate is that from 4 s after the first row on. The end of results/two-gpus.txt was made so.
set -euo pipefail
program=$1 folder=$2 seconds=${3:-16}
mkdir -p "$folder"
grid=(--model frontier-7m --method Dense,BlockSparse,SnapKV,Quest --task VariableTracking --short-instructions --length 4096 --sparsity 0.5,0.9 --batch 256 --samples 100000)

sweep() { # NAME SECONDS DEVICES
    local name=$1 process
    timeout -s TERM "$2" "$program" run "${grid[@]}" --results "$folder/$name" --device "$3" >"$folder/$name.out" 2>"$folder/$name.err" &
    process=$!
    while kill -0 "$process" 2>/dev/null; do
        echo "$(date +%s.%N) $(cat "$folder/$name"/*/samples-*.jsonl 2>/dev/null | wc -l || true)"
        sleep 0.3
    done >"$folder/$name.rows"
    wait "$process" || true
    python3 - "$name" "$folder/$name.rows" <<'PY'
import sys
points = [tuple(map(float, line.split())) for line in open(sys.argv[2])]
points = [p for p in points if p[1] > 0]
first = next((p for p in points if p[0] >= points[0][0] + 4), points[-1])
last = points[-1]
print(f"{sys.argv[1]}: {last[1]:.0f} rows, {(last[1] - first[1]) / max(1e-9, last[0] - first[0]):.2f} a second over {last[0] - first[0]:.1f} s")
PY
}

sweep warm 9 cuda:0,cuda:1
sweep one "$seconds" cuda:0
sweep two "$seconds" cuda:0,cuda:1
