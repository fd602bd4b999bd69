using System.Management.Automation;
using SparseFrontier.Completion;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Checks bundles of runs, scores their stored outputs again without a model, and says what differs.</summary>
/// <remarks>
/// <para>
/// Every file of a bundle is checked against its manifest; one that was changed is named, and then nothing of the bundle is taken (BundleInvalid).
/// The outputs are scored by the tasks as they are here, and each row is made anew from its samples. What is not as stored is a warning, and the Verdict
/// Changed with a Message; -Sample shows it sample by sample. Runs of a task of your own need the task to be registered, else they are NotScored.
/// </para>
/// <para>
/// With -ResultPath the runs are added to a folder of results, where all cmdlets read them, and where more samples may be added to them.
/// </para>
/// </remarks>
/// <example>
/// Checks a bundle and shows what its outputs score.
/// <code>Get-SparseAttentionResult | Export-SparseAttentionBundle paper.zip -Force
/// Import-SparseAttentionBundle paper.zip</code>
/// </example>
/// <example>
/// Shows the samples that score otherwise than stored.
/// <code>Get-SparseAttentionResult | Export-SparseAttentionBundle paper.zip -Force
/// Import-SparseAttentionBundle paper.zip -Sample | Where-Object IsChanged | Format-List</code>
/// </example>
/// <example>
/// Adds the runs to a folder of results and finds their frontier.
/// <code>Get-SparseAttentionResult | Export-SparseAttentionBundle paper.zip -Force
/// Import-SparseAttentionBundle paper.zip -ResultPath theirs | Get-SparseAttentionResult | Get-SparsityPareto</code>
/// </example>
[Cmdlet(VerbsData.Import, "SparseAttentionBundle", DefaultParameterSetName = ParameterSets.Path, SupportsShouldProcess = true)]
[OutputType(typeof(BundledRun))]
[OutputType(typeof(RescoredSample))]
public sealed class ImportSparseAttentionBundleCommand : SparseFrontierCmdlet
{
    /// <summary>Bundles to read.</summary>
    [Parameter(
        Mandatory = true,
        Position = 0,
        ParameterSetName = ParameterSets.Path,
        ValueFromPipeline = true,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Bundles to read; wildcards match.")]
    [SupportsWildcards]
    public string[] Path { get; set; } = [];

    /// <summary>Bundles to read, taken as they are: no character is a wildcard.</summary>
    [Parameter(
        Mandatory = true,
        ParameterSetName = ParameterSets.LiteralPath,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Bundles to read, taken as they are.")]
    [Alias("PSPath", "LP")]
    public string[] LiteralPath { get; set; } = [];

    /// <summary>Folder of results to add the runs to. It is made if it is not there.</summary>
    /// <value>None: nothing is kept</value>
    [Parameter(HelpMessage = "Folder of results to add the runs to.")]
    [ArgumentCompleter(typeof(ResultPathCompleter))]
    [ValidateNotNull]
    public string ResultPath { get; set; } = "";

    /// <summary>Emits the samples, with stored and new scores, instead of the runs.</summary>
    [Parameter(HelpMessage = "Emit the samples, with stored and new scores, instead of the runs.")]
    public SwitchParameter Sample { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        bool literal = ParameterSetName == ParameterSets.LiteralPath;
        IReadOnlyList<string> files = ResolveInput(literal ? LiteralPath : Path, literal);
        if (files.Count > 0)
        {
            Run(() => new ImportBundleOperation
            {
                Path = files,
                ResultPath = ResultPath.Length > 0 ? ResolveOutput(ResultPath) : "",
                Sample = Sample,
            }.Execute);
        }
    }
}
