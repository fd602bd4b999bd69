#!/usr/bin/env bash
# The grid of docs/findings.md on a machine with GPUs: one process a model, task and length, several side by side on each GPU, because a process's own thread keeps one GPU busy for half of the time.
#   findings_grid.sh SPARSEFRONTIER FOLDER GPUS WORKERS_A_GPU CORES_A_WORKER [LENGTHS [MODELS [ARGUMENTS OF RUN...]]]
# Other trainings of a size, as models/training makes them, are folders such as /tmp/frontier-7m-2: findings_grid.sh ... "1024 2048 4096" "/tmp/frontier-7m-2 /tmp/frontier-7m-3" --sparsity 0.8,0.9
# PLAN=FILE runs what findings_plan.py chose instead of the whole preset. What is finished is kept: the same command goes on where it was stopped. FOLDER/done tells the seconds and rows of each process. At the end:
#   sparsefrontier export findings.jsonl.gz FOLDER/runs/*
set -euo pipefail
program=$1 folder=$2 gpus=$3 workers=$4 cores=$5 lengths=${6:-"2048 1024 4096 8192"} models=${7:-"frontier-7m frontier-3m frontier-1m"}
arguments=("${@:8}")
if [[ -n ${PLAN:-} && ${#arguments[@]} -gt 0 ]]; then
    echo "PLAN says what to run: '${arguments[*]}' would be left out." >&2
    exit 2
fi
mkdir -p "$folder/runs"

source "$(dirname "$0")/share_gpu.sh"

for length in $lengths; do
    for task in Niah StoryRetrieval VariableTracking CommonWords StoryMultiHop StoryFiltering; do
        for model in $models; do
            echo "$model $task $length"
        done
    done
done >"$folder/queue"

worker() { # GPU
    local job model task length again name begun status runs
    while :; do
        exec 9>"$folder/queue.lock"
        flock 9
        job=$(head -n 1 "$folder/queue")
        sed -i 1d "$folder/queue"
        flock -u 9
        [[ -n $job ]] || break
        read -r model task length again <<<"$job"
        name=$(basename "$model")-$task-$length
        runs=(--preset findings --model "$model" --task "$task" --length "$length" --device cuda:0 "${arguments[@]}")
        if [[ -n ${PLAN:-} ]]; then
            grep -F "\"Model\":\"$model\"" "$PLAN" | grep -F "\"Task\":\"$task\"" | grep -F "\"SequenceLength\":$length," >"$folder/$name.plan" || continue
            runs=(--input "$folder/$name.plan")
        fi
        begun=$(date +%s)
        status=0
        CUDA_VISIBLE_DEVICES=$1 SLURM_CPUS_PER_TASK=$cores "$program" run "${runs[@]}" --batch 512 \
            --results "$folder/runs/$name" --json >"$folder/$name.jsonl" 2>"$folder/$name.err" || status=$?
        echo "$name: exit $status, $(($(date +%s) - begun)) s, GPU $1, $(cat "$folder/runs/$name"/*/samples-*.jsonl | wc -l) rows" >>"$folder/done"
        if ((status != 0)) && [[ -z $again ]]; then
            # Others may have held the GPU's memory: once more at the end, when fewer run.
            flock 9
            echo "$job again" >>"$folder/queue"
            flock -u 9
        fi
    done
}

for ((gpu = 0; gpu < gpus; gpu++)); do
    for ((i = 0; i < workers; i++)); do
        worker "$gpu" &
    done
done
wait
cat "$folder/done"
