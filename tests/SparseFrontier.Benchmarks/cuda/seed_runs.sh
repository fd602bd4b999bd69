#!/usr/bin/env bash
# Trains embedded models of several seeds side by side on one GPU, and runs the cells that claims about sizes need of each as soon as it is trained.
#   seed_runs.sh SPARSEFRONTIER FOLDER WORKERS CORES_A_WORKER SIZE-SEED...       seed_runs.sh sparsefrontier /tmp/seeds 5 2 3m-5 7m-4 7m-5
# FOLDER/frontier-SIZE-SEED is a model, with its record training.json; `export` takes its runs, FOLDER/*/runs/*. What is finished is kept: the same command goes on where it was stopped. Three trainings on one H200: ten minutes (1m, 1m, 3m). Python with PyTorch and NumPy.
set -euo pipefail
program=$1 folder=$(mkdir -p "$2" && realpath "$2") workers=$3 cores=$4
shift 4
root=$(realpath "$(dirname "$0")/../../..")

source "$root/tests/SparseFrontier.Benchmarks/cuda/share_gpu.sh"

train_and_run() { # SIZE-SEED
    local model=frontier-$1 size=${1%-*} seed=${1#*-} grid=$root/tests/SparseFrontier.Benchmarks/cuda/findings_grid.sh
    if [[ ! -d $folder/$model ]]; then
        python3 "$root/models/training/train.py" --engine "$program" --tokenizer "$root/models/frontier-$size" --output "$folder/training-$1" --size "$size" --tokens 0.8e9 --seed "$seed" \
            >>"$folder/training-$1.txt" 2>&1
        rm -rf "$folder/$model.new"
        cp -r "$folder/training-$1/model" "$folder/$model.new"
        mv "$folder/$model.new" "$folder/$model"
    fi

    # Models of unequal cost are compared at every sparsity of these two methods, all methods where much is left out.
    bash "$grid" "$program" "$folder/$model-all" 1 "$workers" "$cores" "4096 2048 1024" "$folder/$model" --method Dense,VerticalSlash,Quest
    bash "$grid" "$program" "$folder/$model-high" 1 "$workers" "$cores" "4096 2048 1024" "$folder/$model" --method BlockSparse,SnapKV,AdaSnapKV --sparsity 0.8,0.9,0.95
}

status=0 trainings=()
for model in "$@"; do
    train_and_run "$model" &
    trainings+=($!)
done
for training in "${trainings[@]}"; do
    wait "$training" || status=1
done
exit $status
