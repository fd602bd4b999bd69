using System.Management.Automation;
using SparseFrontier.Binding;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Writes rows of runs with the scores of their samples as one small file, which analyses read like a folder of results.</summary>
/// <remarks>
/// The file holds a line a run: its row, the score of each sample and a hash of each question, by which samples are paired. Prompts and outputs are not in it; to keep
/// those, write a bundle (Export-SparseAttentionBundle). Get-SparseAttentionResult reads it, and Measure-SparsityTolerance, Measure-SparsityEffect, Test-SparsityClaim,
/// Get-SparsityRecommendation and Get-SparsityFinding compare its runs sample by sample. Equal rows give equal bytes.
/// </remarks>
/// <example>
/// Keeps all finished runs of a folder as one file.
/// <code>Get-SparseAttentionResult -Status Completed | Export-SparseAttentionResult grid.jsonl.gz -Force</code>
/// </example>
/// <example>
/// Reads such a file and measures what was tolerated.
/// <code>Get-SparseAttentionResult | Export-SparseAttentionResult grid.jsonl.gz -Force
/// Get-SparseAttentionResult grid.jsonl.gz | Measure-SparsityTolerance -MaximumDrop 0.2</code>
/// </example>
/// <example>
/// Says what would be written.
/// <code>Get-SparseAttentionResult -Task Niah | Export-SparseAttentionResult niah.jsonl -WhatIf</code>
/// </example>
[Cmdlet(VerbsData.Export, "SparseAttentionResult", SupportsShouldProcess = true)]
[OutputType(typeof(FileInfo))]
public sealed class ExportSparseAttentionResultCommand : SparseFrontierCmdlet
{
    private readonly List<SparseAttentionResult> _results = [];

    /// <summary>Rows of the runs, as Get-SparseAttentionResult reads them.</summary>
    [Parameter(Mandatory = true, ValueFromPipeline = true, HelpMessage = "Rows of the runs, as Get-SparseAttentionResult reads them.")]
    [RowTransformation(typeof(SparseAttentionResult), nameof(SparseAttentionResult.RunId), nameof(SparseAttentionResult.Path))]
    [ValidateNotNull]
    public SparseAttentionResult[] InputObject { get; set; } = [];

    /// <summary>The file to write, whose name ends with .jsonl, or with .jsonl.gz or .jsonl.br to have it compressed.</summary>
    [Parameter(Mandatory = true, Position = 0, HelpMessage = "The file to write: .jsonl, .jsonl.gz or .jsonl.br.")]
    [ValidateNotNullOrEmpty]
    public string Path { get; set; } = "";

    /// <summary>Replaces a file that is there.</summary>
    [Parameter(HelpMessage = "Replace a file that is there.")]
    public SwitchParameter Force { get; set; }

    /// <summary>Emits the file that was written.</summary>
    [Parameter(HelpMessage = "Emit the file that was written.")]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord() => _results.AddRange(InputObject);

    /// <inheritdoc/>
    protected override void EndProcessing() => Run(
        () => new ExportResultOperation { Results = _results, Path = ResolveOutput(Path), Force = Force }.Execute,
        PassThru ? WriteFile : _ => { });
}
