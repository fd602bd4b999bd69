#!/usr/bin/env bash
# Puts the libraries that the benchmarks compare with under artifacts/peers/ (ignored by git): OpenBLAS from Debian's archive (apt-get), ONNX
# Runtime from npm. Nothing is installed. What cannot be fetched is named; the suites then go on without it, and say so.
set -uo pipefail
cd "$(dirname "$0")/../.."
peers=$PWD/artifacts/peers
mkdir -p "$peers"
status=0

if [ ! -e "$peers/openblas/libopenblas.so.0" ]; then
    temporary=$(mktemp -d)
    if (cd "$temporary" && apt-get download libopenblas0-pthread libgfortran5 libquadmath0 2>/dev/null && for package in *.deb; do dpkg -x "$package" .; done); then
        mkdir -p "$peers/openblas"
        cp -P "$temporary"/usr/lib/*/openblas-pthread/libopenblas* "$temporary"/usr/lib/*/libgfortran.so* "$temporary"/usr/lib/*/libquadmath.so* "$peers/openblas/"
    else
        echo "OpenBLAS could not be fetched (needs apt-get with Debian's lists: apt-get update)."
        status=1
    fi

    rm -rf "$temporary"
fi

if [ ! -d "$peers/node_modules/onnxruntime-node" ]; then
    # The install script would fetch GPU libraries; the package itself holds what runs on a CPU.
    npm install --prefix "$peers" --ignore-scripts --no-save --no-audit --no-fund --silent onnxruntime-node@1.30.0 ||
        { echo "ONNX Runtime could not be fetched (needs npm)."; status=1; }
fi

exit $status
