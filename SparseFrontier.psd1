@{
    RootModule           = 'bin/SparseFrontier.Module.dll'
    ModuleVersion        = '0.1.0'
    GUID                 = '22e652cc-bcea-4fd1-8cf1-0237dbafd24f'
    Author               = 'SparseFrontier contributors'
    CompanyName          = 'SparseFrontier contributors'
    Copyright            = 'SparseFrontier contributors. Apache-2.0.'
    Description          = 'Runs training-free sparse-attention methods on long-context tasks, measures what was really computed, read and gained, and tells which method at which sparsity is worth it.'
    PowerShellVersion    = '7.6'
    CompatiblePSEditions = @('Core')
    FormatsToProcess     = @('bin/SparseFrontier.Format.ps1xml')
    TypesToProcess       = @('bin/SparseFrontier.Types.ps1xml')
    NestedModules        = @()
    CmdletsToExport      = @(
        'Compare-SparseAttentionResult'
        'Export-AttentionTrace'
        'Export-SparseAttentionBundle'
        'Export-SparseAttentionResult'
        'Export-SparsityReport'
        'Get-SparseAttentionCost'
        'Get-SparseAttentionDevice'
        'Get-SparseAttentionJob'
        'Get-SparseAttentionMethod'
        'Get-SparseAttentionModel'
        'Get-SparseAttentionPlan'
        'Get-SparseAttentionResult'
        'Get-SparseAttentionTask'
        'Get-SparsityFinding'
        'Get-SparsityPareto'
        'Get-SparsityRecommendation'
        'Import-SparseAttentionBundle'
        'Import-SparseAttentionResult'
        'Invoke-AttentionTrace'
        'Invoke-SparseAttentionRun'
        'Measure-AttentionPattern'
        'Measure-SparseKernel'
        'Measure-SparsityEffect'
        'Measure-SparsityScaling'
        'Measure-SparsityTolerance'
        'Merge-SparseAttentionResult'
        'New-SparseAttentionSample'
        'New-SparseAttentionSweep'
        'Register-SparseAttentionMethod'
        'Register-SparseAttentionTask'
        'Remove-SparseAttentionResult'
        'Show-AttentionMask'
        'Show-SparsityPareto'
        'Stop-SparseAttentionJob'
        'Submit-SparseAttentionRun'
        'Test-KernelCorrectness'
        'Test-SparsityClaim'
    )
    FunctionsToExport    = @()
    VariablesToExport    = @()
    AliasesToExport      = @('Test-SparseKernel')
    PrivateData          = @{
        PSData = @{
            Tags         = @('PSEdition_Core', 'Linux', 'Windows', 'MacOS', 'LLM', 'SparseAttention', 'CUDA', 'Benchmark')
            ReleaseNotes = 'See CHANGELOG.md.'
        }
    }
}
