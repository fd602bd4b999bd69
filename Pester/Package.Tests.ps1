BeforeAll {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    $out = Join-Path (Convert-Path TestDrive:/) out
    # What is imported in place is what is packed.
    $configuration = (Test-Path (Join-Path (Get-RepositoryRoot) artifacts/bin/SparseFrontier.Module/release)) ? 'Release' : 'Debug'
    $log = dotnet pack (Join-Path (Get-RepositoryRoot) SparseFrontier.Module) -c $configuration --no-build -o $out "-p:StagingDirectory=$out/staged/"
    if ($LASTEXITCODE) { throw $log }
    $repository = "SparseFrontierTest$PID"
    Register-PSResourceRepository -Name $repository -Uri $out -Trusted
    $modules = (New-Item -ItemType Directory (Join-Path (Convert-Path TestDrive:/) modules)).FullName
}

AfterAll { if ($repository) { Unregister-PSResourceRepository -Name $repository } }

Describe 'The package' {
    It 'is found in a local repository' {
        $found = Find-PSResource SparseFrontier -Repository $repository
        $found.Type | Should -Be Module
        $found.Version | Should -Be (Test-ModuleManifest (Join-Path (Get-RepositoryRoot) SparseFrontier.psd1)).Version
    }

    It 'is served by a PSRepository of PowerShellGet 2 as well' -Skip:(-not (Get-Module -ListAvailable PowerShellGet)) {
        Register-PSRepository -Name $repository -SourceLocation $out -InstallationPolicy Trusted
        try {
            Find-Module SparseFrontier -Repository $repository | ForEach-Object Name | Should -Be SparseFrontier
            $saved = (New-Item -ItemType Directory (Join-Path (Convert-Path TestDrive:/) saved)).FullName
            Save-Module SparseFrontier -Repository $repository -Path $saved
            Get-ChildItem $saved -Recurse -Filter SparseFrontier.psd1 | Should -Not -BeNullOrEmpty
        }
        finally { Unregister-PSRepository $repository }
    }

    It 'is installed from there, with help and the embedded model' {
        Save-PSResource SparseFrontier -Repository $repository -Path $modules
        $script = {
            param($modules)
            $env:PSModulePath = $modules + [System.IO.Path]::PathSeparator + $env:PSModulePath
            Import-Module SparseFrontier
            (Get-Module SparseFrontier).ModuleBase
            (Get-SparseAttentionMethod Quest).Name
            (Get-SparseAttentionModel).Name -join ' '
            (Get-Help Get-SparsityPareto).Synopsis
            (Test-KernelCorrectness RmsNorm*).Passed | Sort-Object -Unique
        }
        $base, $method, $model, $synopsis, $passed = pwsh -NoProfile -Command $script -args $modules
        $base | Should -BeLike "$modules*SparseFrontier*"
        $method | Should -Be Quest
        $model | Should -Be 'frontier-1m frontier-3m frontier-7m'
        $synopsis | Should -Match 'no other run beats'
        $passed | Should -BeTrue
    }
}
