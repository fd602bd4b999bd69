#!/usr/bin/env bash
# Submits sweeps to a real Slurm on this machine: slurmctld, four virtual nodes and munge on loopback, without systemd. An array of runs, a
# node that dies with its job, a node that only Slurm loses (its job runs on as an orphan, and the requeued copy finishes too), a time limit
# and a cancelled job. In the end the merged results must be, byte for byte, those of one process that ran everything.
#
#   apt-get install -y --no-install-recommends slurmctld slurmd slurm-client slurm-wlm-basic-plugins munge
#   dotnet build -c Release && tests/slurm/run.sh
#
# Needs root. Where something is missing it says "skipped: why" and ends with 0.
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export PATH="$PATH:/usr/sbin:/sbin"
skip() { echo "skipped: $1"; exit 0; }
for command in slurmctld slurmd munged sbatch squeue scontrol scancel; do
    command -v "$command" >/dev/null || skip "$command is not here (Debian: slurmctld slurmd slurm-client slurm-wlm-basic-plugins munge)"
done
[ "$(id -u)" = 0 ] || skip "Slurm's daemons are started as root"
real=$root/artifacts/bin/SparseFrontier.Cli/release/sparsefrontier
[ -x "$real" ] || skip "the command line is not built: dotnet build -c Release"
if [ -z "${DOTNET_ROOT:-}" ] && command -v dotnet >/dev/null; then DOTNET_ROOT=$(dirname "$(readlink -f "$(command -v dotnet)")"); fi
export DOTNET_ROOT

work=$(mktemp -d)
chmod 755 "$work"
daemons=()
finish() {
    code=$?
    if [ -n "${SPARSEFRONTIER_SLURM_KEEP:-}" ]; then echo "kept: $work"; fi
    [ ! -d "$work/control" ] || rm -f "$work"/control/pause-*
    scancel --user=root 2>/dev/null
    for pid in "${daemons[@]+"${daemons[@]}"}"; do kill "$pid" 2>/dev/null; done
    for file in "$work"/run/*.pid; do [ -f "$file" ] && kill "$(cat "$file")" 2>/dev/null; done
    [ -n "${SPARSEFRONTIER_SLURM_KEEP:-}" ] || { sleep 0.5; rm -rf "$work"; }
    exit "$code"
}
trap finish EXIT
mkdir -p "$work"/{run,spool,log,control,munge}
started=$SECONDS
say() { printf '%4d s  %s\n' "$((SECONDS - started))" "$1"; }
fail() { say "FAILED: $1"; tail -n 20 "$work"/results/jobs/*/logs/*.log "$work"/log/slurmctld.log 2>/dev/null | tail -n 80; exit 1; }
# until_true SECONDS WHAT COMMAND...
until_true() {
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || fail "waited too long: $what"
        sleep 0.2
    done
}

host=$(hostname -s)
port=$((20000 + RANDOM % 20000))
dd if=/dev/urandom of="$work/munge/key" bs=128 count=1 status=none
chmod 700 "$work/munge"; chmod 400 "$work/munge/key"
munged --force --key-file="$work/munge/key" --socket="$work/run/munge.socket" --pid-file="$work/run/munged.pid" --log-file="$work/munge/log" --seed-file="$work/munge/seed" 2>"$work/log/munged.log" ||
    { cat "$work/log/munged.log"; skip "munged does not start"; }
export SLURM_CONF="$work/slurm.conf"
{
    cat <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$work/run/munge.socket,cred_expire=5
StateSaveLocation=$work/spool
SlurmctldPidFile=$work/run/slurmctld.pid
SlurmctldLogFile=$work/log/slurmctld.log
SlurmdPidFile=$work/run/slurmd-%n.pid
SlurmdSpoolDir=$work/spool/%n
SlurmdLogFile=$work/log/slurmd-%n.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SchedulerParameters=sched_interval=1,bf_interval=1,sched_min_interval=0,batch_sched_delay=0
SelectType=select/cons_tres
SlurmdTimeout=5
KillWait=5
ReturnToService=2
MinJobAge=300
CONF
    for i in 1 2 3 4; do echo "NodeName=n$i NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + i)) CPUs=1 State=UNKNOWN"; done
    echo "PartitionName=main Nodes=n[1-4] Default=YES MaxTime=60 State=UP"
} >"$SLURM_CONF"
printf 'CgroupPlugin=cgroup/v1\n' >"$work/cgroup.conf"
slurmctld -D 2>"$work/log/slurmctld.err" & daemons+=($!)
for i in 1 2 3 4; do slurmd -D -N "n$i" 2>"$work/log/slurmd-n$i.err" & daemons+=($!); eval "slurmd_n$i=$!"; done
idle() { [ "$(sinfo --noheader --Node --format='%T' 2>/dev/null | grep -c '^idle')" = 4 ]; }
for _ in $(seq 100); do idle && break; sleep 0.2; done
idle || { sinfo; cat "$work"/log/*.err; skip "the nodes do not come up"; }
say "Slurm $(sinfo --version | cut -d' ' -f2) is up, four nodes idle"

# The worker of the nodes: pauses after its first finished sample while control/pause-SEED-RESTART is there.
export CONTROL=$work/control REAL=$real
cat >"$work/worker" <<'WORKER'
#!/bin/bash
[ "$1" = run ] || exec "$REAL" "$@"
seed=$(sed -nE '1s/.*"Seed":([0-9]+).*/\1/p' "$3")
attempt=$seed-${SLURM_RESTART_COUNT:-0}
"$REAL" "$@" & child=$!
trap 'kill -CONT "$child"; kill -TERM "$child"' TERM
echo "${SLURMD_NODENAME:-} $child $$ $PPID $(ps -o ppid= -p "$PPID")" >"$CONTROL/.pid-$attempt" && mv "$CONTROL/.pid-$attempt" "$CONTROL/pid-$attempt"
if [ -e "$CONTROL/pause-$attempt" ]; then
    # Its own attempt: the newest samples file of a run that its claim names.
    until grep -l "\"ProcessId\":$child," "$5"/*/claim 2>/dev/null | while read -r claim; do [ -s "$(ls "${claim%/claim}"/samples-*.jsonl | tail -n 1)" ] && echo yes; done | grep -q yes; do
        kill -0 "$child" 2>/dev/null || break
        sleep 0.02
    done
    kill -STOP "$child"
    touch "$CONTROL/paused-$attempt"
    while [ -e "$CONTROL/pause-$attempt" ] && kill -0 "$child" 2>/dev/null && [ "$(cut -d' ' -f3 "/proc/$child/stat" 2>/dev/null)" != Z ]; do sleep 0.1; done
    kill -CONT "$child" 2>/dev/null
fi
wait "$child"; code=$?
while kill -0 "$child" 2>/dev/null; do wait "$child"; code=$?; done
exit "$code"
WORKER
chmod +x "$work/worker"

grid=(--method Dense,SnapKV,BlockSparse --sparsity 0.5 --length 512 --short-instructions --task-parameter Queries=1 --max-output 4 --samples 4)
results=$work/results
submit() { "$real" submit "${grid[@]}" --results "$results" --worker "$work/worker" --json "$@" | sed -nE 's/.*"JobId":"([0-9]+)".*/\1/p'; }
state() { "$real" jobs "$1" --results "$results" --json | sed -nE 's/.*"State":"([A-Za-z]+)".*/\1/p'; }
is() { [ "$(state "$1")" = "$2" ]; }
there() { [ -e "$CONTROL/$1" ]; }
field() { cut -d' ' -f"$1" <"$CONTROL/pid-$2"; }

say "one process runs everything"
"$real" run "${grid[@]}" --seed 1,2,3,4,5,6 --results "$work/single" >/dev/null || fail "the single process"

touch "$CONTROL"/pause-{2-0,3-0,3-1,5-0,6-0}
array=$(submit --name array --seed 1,2,3,4)
limited=$(submit --name limited --seed 5 --time-limit 0:01:00)
[ -n "$array" ] && [ -n "$limited" ] || fail "submitting"
say "submitted: array $array of four elements, job $limited with a time limit of a minute"
until_true 60 "elements are in the middle" there paused-2-0
until_true 60 "elements are in the middle" there paused-3-0

# The node of seed 2 dies with all that runs there; the node of seed 3 is only lost: its worker goes on.
dead=$(field 1 2-0) lost=$(field 1 3-0)
[ "$dead" != "$lost" ] || fail "both elements are on $dead"
read -r _ worker shell script step <"$CONTROL/pid-2-0"
eval "kill -9 \$slurmd_$dead \$slurmd_$lost"
kill -9 "$step" "$script" "$shell" "$worker"
say "killed: node $dead with its job, the daemon of node $lost alone"

cancelled=$(submit --name cancelled --seed 6)
until_true 90 "the job to cancel is in the middle" there paused-6-0
"$real" job stop "$cancelled" --results "$results" >/dev/null || fail "job stop"
until_true 30 "job $cancelled is cancelled" is "$cancelled" Cancelled
grep -q 'ended with 143' "$results"/jobs/*-cancelled/logs/0.log || fail "the cancelled worker did not end by the signal"
say "job $cancelled was cancelled in the middle"
rm "$CONTROL/pause-6-0"
again=$(submit --name cancelled --seed 6)

until_true 120 "the lost job runs again" there paused-3-1
say "the job of node $lost was requeued and runs beside its orphan"
kill -0 "$(field 2 3-0)" || fail "the orphan is gone"
rm "$CONTROL/pause-3-0" "$CONTROL/pause-3-1"
until_true 120 "the job with the time limit is requeued" there pid-5-1
say "the job with the time limit was requeued"
rm "$CONTROL/pause-5-0"
for job in "$array" "$limited" "$again"; do until_true 180 "job $job ends" is "$job" Completed; done
both_ended() { [ "$(grep -c 'ended with 0' "$results"/jobs/*-array/logs/2.log)" = 2 ]; }
until_true 30 "the orphan ends" both_ended
say "all have ended, the orphan and the requeued copy of its job both"

"$real" merge --results "$results" --json >"$work/rows" || fail "the merge"
[ "$(grep -c '"Status":"Completed"' "$work/rows")" = 18 ] || fail "18 runs should be complete"
"$real" results "$work/single" --canonical >"$work/single.jsonl"
"$real" results "$results" --canonical >"$work/merged.jsonl"
cmp "$work/single.jsonl" "$work/merged.jsonl" || fail "the merged results are not those of one process"
"$real" merge --results "$results" >/dev/null && "$real" results "$results" --canonical | cmp - "$work/merged.jsonl" || fail "merging again changed something"
twice=$(cat "$results"/*/samples-*.jsonl | sed -nE 's/.*"RunId":"([0-9a-f]+)","Index":([0-9]+),.*/\1 \2/p' | sort | uniq -d | wc -l)
[ "$twice" -gt 0 ] || fail "orphan and copy should have computed some samples twice"
say "passed: $(wc -l <"$work/merged.jsonl") lines equal those of one process, $twice samples were computed twice and count once"
