#!/usr/bin/env bash
# The dense runs behind the scores of the model cards, one as JSON a line: the six tasks with the paper's parameters, and with what the training split refuses (docs/tasks.md, "Held out"): words, template, least difficulty. A length that cannot hold a task is left out with a warning: other words are more tokens.
#   scores_plan.sh SPARSEFRONTIER [DEVICE [SAMPLES [LENGTHS]]] > plan.jsonl        PLAN=plan.jsonl findings_grid.sh SPARSEFRONTIER FOLDER 1 7 2 "8192 4096"        or: sparsefrontier run --input plan.jsonl
set -euo pipefail
program=$1 device=${2:-cuda:0} samples=${3:-200} lengths=${4:-4096,8192}

plan() { # TASKS [ARGUMENTS OF RUN...]
    "$program" run --model frontier-7m,frontier-3m,frontier-1m --method Dense --short-instructions --task "$1" --samples "$samples" --device "$device" --what-if --json --length "$lengths" "${@:2}" | grep -F '"IsFeasible":true'
}

tasks=Niah,VariableTracking,CommonWords,StoryRetrieval,StoryMultiHop,StoryFiltering
plan "$tasks"
for heldOut in 1 2; do
    plan "$tasks" --task-parameter HeldOut=$heldOut
done
for difficulty in Niah:KeyGroups=5 VariableTracking:Hops=5 CommonWords:CommonWords=11 StoryRetrieval:Queries=17 StoryMultiHop:Back=2 StoryFiltering:Chapters=4; do
    plan "${difficulty%%:*}" --task-parameter "${difficulty#*:}"
done
