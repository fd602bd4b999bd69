#!/usr/bin/env bash
# Publishes the benchmarks with the .NET runtime for linux-x64 into artifacts/benchmarks-linux-x64, for a machine that has PyTorch but no .NET:
# copy the repository there with that folder (about 40 MB), and run
#   artifacts/benchmarks-linux-x64/SparseFrontier.Benchmarks pytorch --output results/pytorch.json
# It needs python3 with torch and transformers there.
set -euo pipefail
cd "$(dirname "$0")/../.."
dotnet publish tests/SparseFrontier.Benchmarks -c Release -r linux-x64 --self-contained -o artifacts/benchmarks-linux-x64 \
    -p:RestoreLockedMode=false -p:RestorePackagesWithLockFile=false -p:PublishSingleFile=true -p:EnableCompressionInSingleFile=true -p:IncludeNativeLibrariesForSelfExtract=true "$@"
