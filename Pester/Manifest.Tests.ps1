BeforeAll {
    Import-Module "$PSScriptRoot/TestKit.psm1" -Force
    Import-SparseFrontier
    $manifest = Test-ModuleManifest (Join-Path (Get-RepositoryRoot) 'SparseFrontier.psd1')
}

Describe 'Manifest' {
    It 'is valid and exports exactly its cmdlets' {
        $exported = (Get-Module SparseFrontier).ExportedCmdlets.Keys | Sort-Object
        $exported | Should -Be ($manifest.ExportedCmdlets.Keys | Sort-Object)
        $exported | Should -Not -BeNullOrEmpty
        (Get-Module SparseFrontier).ExportedFunctions.Count | Should -Be 0
        (Get-Module SparseFrontier).ExportedAliases.Values.ResolvedCommand.Name | Should -Be Test-KernelCorrectness
    }

    It 'imports without a warning about verbs' {
        $output = pwsh -NoProfile -Command "Import-Module '$(Join-Path (Get-RepositoryRoot) 'SparseFrontier.psd1')' 3>&1"
        $output | Should -BeNullOrEmpty
    }

    It 'needs PowerShell 7.6 Core' {
        $manifest.PowerShellVersion | Should -Be ([version]'7.6')
        $manifest.CompatiblePSEditions | Should -Be 'Core'
    }
}
