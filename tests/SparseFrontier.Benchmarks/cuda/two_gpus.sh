#!/usr/bin/env bash
# One sweep on one GPU and on two, and a soak: on a machine with two GPUs alike, with the command line published and the kernels compiled before.
#   two_gpus.sh SPARSEFRONTIER FOLDER [SOAK_SECONDS]
# SPARSEFRONTIER is the command line's program, FOLDER takes results and samples. The soak runs on the second GPU beside the sweep of the first; what it takes there is
# sampled every 5 seconds. Ends with a table; results/two-gpus.txt was made so.
set -euo pipefail
program=$1 folder=$2 soak=${3:-300}
mkdir -p "$folder"
grid=(--model frontier-7m --method Dense,BlockSparse,SnapKV,Quest --task Niah --length 4096 --sparsity 0.5,0.9)

rows() { cat "$folder/$1"/*/samples-*.jsonl 2>/dev/null | wc -l || true; }

sweep() { # NAME SECONDS OPTIONS...: runs it for so long at most, and writes the rows on the disk every half second
    local name=$1 limit=$2 begin end code=0
    shift 2
    begin=$(date +%s.%N)
    timeout "$limit" "$program" run "${grid[@]}" --results "$folder/$name" "$@" >"$folder/$name.out" 2>"$folder/$name.err" &
    local process=$!
    while kill -0 "$process" 2>/dev/null; do
        echo "$(date +%s.%N) $(rows "$name")"
        sleep 0.5
    done >"$folder/$name.rows"
    wait "$process" || code=$?
    end=$(date +%s.%N)
    python3 - "$name" "$code" "$begin" "$end" "$folder/$name.rows" <<'PY'
import sys
name, code, begin, end = sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
points = [tuple(map(float, line.split())) for line in open(sys.argv[5])]
points = [p for p in points if p[1] > 0]
first = next((p for p in points if p[0] >= points[0][0] + 4), points[-1])
last = [p for p in points if p[1] < points[-1][1]][-1]
print(f"{name}: exit code {code}, {end - begin:.2f} s in all, {points[-1][1]:.0f} rows; {(last[1] - first[1]) / (last[0] - first[0]):.2f} rows/s from 4 s after the first row on")
PY
}

sweep warm 60 --device cuda:0,cuda:1 --samples 6
sweep alone 25 --device cuda:0 --samples 100000
timeout "$soak" "$program" run --model frontier-7m --method Dense,BlockSparse,VerticalSlash,FlexPrefill,SnapKV,AdaSnapKV,Quest --task Niah,CommonWords,StoryRetrieval \
    --length 2048,4096 --sparsity 0.5,0.9 --samples 10 --seed "$(seq -s, 1 200)" --device cuda:1 --results "$folder/soak" >"$folder/soak.out" 2>"$folder/soak.err" &
worker=$!
(
    begin=$(date +%s)
    while kill -0 "$worker" 2>/dev/null; do
        process=$(pgrep -P "$worker" | head -1 || true)
        echo "$(($(date +%s) - begin)) $(nvidia-smi -i 1 --query-gpu=memory.used --format=csv,noheader,nounits) $(awk '/VmRSS/ { print int($2 / 1024) }' "/proc/$process/status" 2>/dev/null) $(ls "/proc/$process/fd" 2>/dev/null | wc -l) $(rows soak)"
        sleep 5
    done >"$folder/soak.samples"
) &
sleep 8
sweep one 300 --device cuda:0 --samples 208
wait "$worker" || true
sweep two 300 --device cuda:0,cuda:1 --samples 208
for name in one two; do "$program" results "$folder/$name" --canonical >"$folder/$name.canonical"; done
cmp "$folder/one.canonical" "$folder/two.canonical" && echo "equal results: $(wc -c <"$folder/one.canonical") bytes"
python3 - "$folder/soak.samples" <<'PY'
import sys
samples = [list(map(float, line.split())) for line in open(sys.argv[1])]
late = [s for s in samples if len(s) == 5 and s[0] > 60]
for column, name in ((1, "MiB of the GPU"), (2, "MiB resident on the host"), (3, "handles")):
    values = [s[column] for s in late]
    print(f"soak, {name}, from 60 s on: {values[0]:.0f} first, {min(values):.0f} to {max(values):.0f}, {values[-1]:.0f} last")
print(f"soak: {late[-1][4]:.0f} rows in {late[-1][0]:.0f} s")
PY
