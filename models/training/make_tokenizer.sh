#!/usr/bin/env bash
# Trains the embedded models' tokenizer on text that the engine's own task generators write.
#   models/training/make_tokenizer.sh OUTPUT_DIRECTORY
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
dotnet build "$root/src/SparseFrontier.Cli" -c Release -v q -nologo >/dev/null
engine="dotnet $root/artifacts/bin/SparseFrontier.Cli/release/sparsefrontier.dll"
python3 "$root/models/training/train_tokenizer.py" - "$work/bytes" >/dev/null
for task in Niah VariableTracking CommonWords StoryRetrieval StoryMultiHop StoryFiltering; do
  for form in "" --short-instructions; do
    samples=$([ "$task" = CommonWords ] && echo 40 || echo 12) # most words are its
    $engine task generate --task $task --length 24000 --samples "$samples" --seed 1 --split training $form --tokenizer "$work/bytes" --output "$work/$task$form.jsonl"
    python3 -c 'import json, sys
for line in open(sys.argv[1], encoding="utf-8"):
    sample = json.loads(line)
    print(sample["prompt"], sample["target"])' "$work/$task$form.jsonl" >>"$work/corpus.txt"
  done
done
python3 "$root/models/training/train_tokenizer.py" "$work/corpus.txt" "$1"
