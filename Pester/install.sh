#!/usr/bin/env bash
# Puts PowerShell and Pester into a folder, for machines without them: bash Pester/install.sh FOLDER.
# PowerShell comes as a .NET tool and Pester as a package, both by the ordinary NuGet client; nothing outside the folder is touched.
# Then: PATH="FOLDER/tools:$PATH" PSModulePath="FOLDER/modules" pwsh -NoProfile -File Pester/run.ps1
set -euo pipefail
powershell=7.6.9
pester=5.7.1

mkdir -p "$1"
folder=$(cd "$1" && pwd)
[ -x "$folder/tools/pwsh" ] || dotnet tool install --tool-path "$folder/tools" PowerShell --version "$powershell"
if [ ! -d "$folder/modules/Pester/$pester" ]; then
    mkdir -p "$folder/download" "$folder/modules/Pester"
    cat >"$folder/download/download.proj" <<XML
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <TargetFramework>net10.0</TargetFramework>
    <RestorePackagesPath>$folder/download/packages</RestorePackagesPath>
  </PropertyGroup>
  <ItemGroup>
    <PackageDownload Include="Pester" Version="[$pester]" />
  </ItemGroup>
</Project>
XML
    dotnet restore "$folder/download/download.proj"
    cp -r "$folder/download/packages/pester/$pester/tools" "$folder/modules/Pester/$pester"
    rm -rf "$folder/download"
fi
