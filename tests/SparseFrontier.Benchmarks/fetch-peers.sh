#!/usr/bin/env bash
# Puts the libraries that the benchmarks compare with under artifacts/peers/ (ignored by git): OpenBLAS from Debian's archive (apt-get), ONNX
# Runtime from npm, LibTorch from NuGet (600 MB). Nothing is installed. What cannot be fetched is named; the suites then go on without it, and say so.
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

if [ ! -e "$peers/libtorch/libtorch_cpu.so" ]; then
    # A project of its own, which NuGet restores into a folder of its own.
    temporary=$(mktemp -d)
    cat > "$temporary/libtorch.csproj" <<'PROJECT'
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup><TargetFramework>net10.0</TargetFramework></PropertyGroup>
  <ItemGroup><PackageReference Include="libtorch-cpu-linux-x64" Version="2.10.0" /></ItemGroup>
</Project>
PROJECT
    if dotnet restore "$temporary/libtorch.csproj" --packages "$temporary/packages" -v q; then
        mkdir -p "$peers/libtorch"
        find "$temporary/packages" -path '*/native/*.so*' \( -name 'libtorch_cpu.so' -o -name 'libc10.so' -o -name 'libgomp*' \) -exec cp {} "$peers/libtorch/" \;
    fi

    [ -e "$peers/libtorch/libtorch_cpu.so" ] || { echo "LibTorch could not be fetched (needs NuGet and a processor of x64)."; status=1; }
    rm -rf "$temporary"
fi

exit $status
