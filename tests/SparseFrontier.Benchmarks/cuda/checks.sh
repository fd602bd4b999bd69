#!/usr/bin/env bash
# What is checked on a GPU, in one go: the tests that need one, the correctness suite of the kernels, and both compute-sanitizer's memcheck of that suite and its memcheck and racecheck of decode attention,
# Quest and the controls, where the tool is there.
#   checks.sh SPARSEFRONTIER TESTS > results/cuda-checks.txt        SPARSEFRONTIER is the command line, TESTS the command that runs SparseFrontier.Tests (several words each where dotnet starts them)
# Exit code 1 where anything failed. The whole output of each part goes to the folder OUT, or to a temporary one.
set -uo pipefail
program=$1 tests=$2 out=${OUT:-$(mktemp -d)} status=0
cd "$(dirname "$0")"

part() { # NAME COMMAND...
    local begun=$SECONDS code=0
    "${@:2}" >"$out/$1.txt" 2>&1 || code=$?
    ((code == 0)) || status=1
    echo "$1: exit code $code, $((SECONDS - begun)) s"
}

nvidia-smi --query-gpu=name,driver_version --format=csv,noheader
$program --version
part tests $tests --filter-class '*Cuda*' '*PrefillMemory*' --no-progress
grep -E '^ +(total|failed|succeeded|skipped):|^failed ' "$out/tests.txt"
part kernels $program kernels test --device cuda:0
echo "  $(grep -c '^ok ' "$out/kernels.txt") cases right, $(grep -c '^FAILED ' "$out/kernels.txt") wrong"
if command -v compute-sanitizer >/dev/null; then
    part kernels-memcheck compute-sanitizer --tool memcheck --error-exitcode 1 --target-processes all $program kernels test --device cuda:0
    grep 'ERROR SUMMARY' "$out/kernels-memcheck.txt"
    for tool in memcheck racecheck; do
        part "decode-$tool" compute-sanitizer --tool $tool --error-exitcode 1 python3 decode_time.py sanitize
        grep SUMMARY "$out/decode-$tool.txt"
    done
else
    echo "compute-sanitizer is not there: not run"
fi
exit $status
