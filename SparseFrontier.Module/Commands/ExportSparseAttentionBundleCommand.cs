using System.Management.Automation;
using SparseFrontier.Binding;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Writes runs as one file that can be cited, checked and scored again without a model.</summary>
/// <remarks>
/// <para>
/// The file is a zip archive with all that was stored of the runs: specifications with the content hashes of model, tokenizer and data, machines, calibrated
/// budgets, every output with its score, and rows; a manifest holds the SHA-256 of each file. Equal runs give equal bytes. BundleId, the SHA-256 of the
/// manifest, is what to cite; Import-SparseAttentionBundle shows it too.
/// </para>
/// <para>
/// Names of machines and paths of models are in it as they are in the folder of results.
/// </para>
/// </remarks>
/// <example>
/// Bundles all finished runs.
/// <code>Get-SparseAttentionResult -Status Completed | Export-SparseAttentionBundle paper.zip -Force</code>
/// </example>
/// <example>
/// Bundles the runs of one task, and keeps what to cite.
/// <code>$bundle = Get-SparseAttentionResult -Task Niah | Export-SparseAttentionBundle niah.zip -Force -PassThru
/// $bundle.BundleId</code>
/// </example>
/// <example>
/// Says what would be written.
/// <code>Get-SparseAttentionResult | Where-Object SampleCount -ge 2 | Export-SparseAttentionBundle large.zip -WhatIf</code>
/// </example>
[Cmdlet(VerbsData.Export, "SparseAttentionBundle", SupportsShouldProcess = true)]
[OutputType(typeof(SparseAttentionBundle))]
public sealed class ExportSparseAttentionBundleCommand : SparseFrontierCmdlet
{
    private readonly List<SparseAttentionResult> _results = [];

    /// <summary>Rows of the runs, as Get-SparseAttentionResult reads them.</summary>
    [Parameter(Mandatory = true, ValueFromPipeline = true, HelpMessage = "Rows of the runs, as Get-SparseAttentionResult reads them.")]
    [RowTransformation(typeof(SparseAttentionResult), nameof(SparseAttentionResult.RunId), nameof(SparseAttentionResult.Path))]
    [ValidateNotNull]
    public SparseAttentionResult[] InputObject { get; set; } = [];

    /// <summary>The file to write.</summary>
    [Parameter(Mandatory = true, Position = 0, HelpMessage = "The file to write.")]
    [ValidateNotNullOrEmpty]
    public string Path { get; set; } = "";

    /// <summary>Replaces a file that is there.</summary>
    [Parameter(HelpMessage = "Replace a file that is there.")]
    public SwitchParameter Force { get; set; }

    /// <summary>Emits what was written, with the hash to cite.</summary>
    [Parameter(HelpMessage = "Emit what was written, with the hash to cite.")]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord() => _results.AddRange(InputObject);

    /// <inheritdoc/>
    protected override void EndProcessing() => Run(
        () => new ExportBundleOperation { Results = _results, Path = ResolveOutput(Path), Force = Force }.Execute,
        PassThru ? null : _ => { });
}
