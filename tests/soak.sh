#!/usr/bin/env bash
# One process sweeps for a while (many small runs: folders, claims and samples files open and close all the time), then gets TERM. Every ten seconds its resident
# memory, open handles and threads are read, on a GPU the device's memory too. Ends with 1 if the last third of the time holds more than the middle third
# by more than 5 % of memory or 2 % of handles, or if the sweep does not end as TERM asks.
#
#   dotnet build -c Release && tests/soak.sh [MINUTES [OUTPUT [DEVICE]]]        30 minutes on cpu, to standard output
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
minutes=${1:-30} output=${2:-/dev/stdout} device=${3:-cpu}
program=${SPARSEFRONTIER_SOAK_PROGRAM:-$root/artifacts/bin/SparseFrontier.Cli/release/sparsefrontier}
[ -x "$program" ] || { echo "the command line is not built: dotnet build -c Release"; exit 1; }
[ -d /proc/self/fd ] || { echo "skipped: memory and handles are read from /proc"; exit 0; }
if [ -z "${DOTNET_ROOT:-}" ] && command -v dotnet >/dev/null; then DOTNET_ROOT=$(dirname "$(readlink -f "$(command -v dotnet)")"); fi
export DOTNET_ROOT

work=$(mktemp -d)
child=''
finish() { [ -z "$child" ] || kill -KILL "$child" 2>/dev/null; rm -rf "$work"; }
trap finish EXIT
"$program" run --model frontier-1m --task Niah,VariableTracking --length 1024,2048 --method Dense,VerticalSlash,BlockSparse,FlexPrefill,SnapKV,AdaSnapKV,Quest \
    --sparsity 0.5,0.85 --samples 3 --max-output 32 --short-instructions --seed "$(seq -s, 1 60)" --device "$device" --results "$work/results" >"$work/out" 2>"$work/err" &
child=$!
field() { awk -v name="$1:" '$1 == name { print $2 }' "/proc/$child/status" 2>/dev/null; }
device_memory() { nvidia-smi --query-compute-apps=pid,used_memory --format=csv,noheader,nounits 2>/dev/null | awk -F', *' -v pid="$child" '$1 == pid { print $2 }'; }
printf '%7s %12s %8s %8s %8s %8s %10s\n' seconds resident_MB handles threads runs samples device_MB >"$work/table"
started=$SECONDS
while [ $((SECONDS - started)) -lt $((minutes * 60)) ] && kill -0 "$child" 2>/dev/null; do
    sleep 10
    resident=$(field VmRSS) || break
    [ -n "$resident" ] || break
    printf '%7d %12.1f %8d %8d %8d %8d %10s\n' $((SECONDS - started)) "$(awk "BEGIN { print $resident / 1024 }")" "$(ls "/proc/$child/fd" | wc -l)" "$(field Threads)" \
        "$(find "$work/results" -name summary.json 2>/dev/null | wc -l)" "$(find "$work/results" -name 'samples-*.jsonl' -exec cat {} + 2>/dev/null | wc -l)" "$(device_memory)" >>"$work/table"
done
kill -TERM "$child" 2>/dev/null
wait "$child"
code=$?
child=''
{
    echo "soak of $minutes minutes on $device: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) processors, $("$program" --version | cut -d+ -f1), $(date -u +%F)"
    cat "$work/table"
    awk -v code="$code" '
        NR > 1 { seconds[++n] = $1; memory[n] = $2; handles[n] = $3; threads[n] = $4; runs = $5; samples = $6; device[n] = $7 }
        function largest(values, from, to,   i, most) { most = values[from]; for (i = from; i <= to; i++) if (values[i] > most) most = values[i]; return most }
        function mean(values, from, to,   i, sum) { for (i = from; i <= to; i++) sum += values[i]; return sum / (to - from + 1) }
        END {
            if (n < 3) { print "FAILED: the sweep ended too early"; exit 1 }
            a = int(n / 3); b = int(2 * n / 3)
            printf "resident memory, mean of each third: %.1f, %.1f, %.1f MB\n", mean(memory, 1, a), mean(memory, a + 1, b), mean(memory, b + 1, n)
            printf "open handles, mean of each third: %.1f, %.1f, %.1f; most: %d, %d, %d\n", mean(handles, 1, a), mean(handles, a + 1, b), mean(handles, b + 1, n), largest(handles, 1, a), largest(handles, a + 1, b), largest(handles, b + 1, n)
            printf "threads, most in each third: %d, %d, %d\n", largest(threads, 1, a), largest(threads, a + 1, b), largest(threads, b + 1, n)
            if (device[n] != "") printf "device memory, mean of each third: %.0f, %.0f, %.0f MB\n", mean(device, 1, a), mean(device, a + 1, b), mean(device, b + 1, n)
            printf "%d runs and %d samples finished in %d seconds; ended by TERM with %d\n", runs, samples, seconds[n], code
            bad = mean(memory, b + 1, n) > 1.05 * mean(memory, a + 1, b) || mean(handles, b + 1, n) > 1.02 * mean(handles, a + 1, b) || code != 143
            if (device[n] != "") bad = bad || mean(device, b + 1, n) > 1.05 * mean(device, a + 1, b)
            print bad ? "FAILED" : "flat"
            exit bad
        }' "$work/table"
} >"$work/report"
status=$?
[ "$code" = 143 ] || { tail -n 20 "$work/err"; }
cat "$work/report" >"$output"
exit "$status"
