using System.Management.Automation;
using SparseFrontier.Completion;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Imports results of lm-evaluation-harness, of kvpress and of The Sparse Frontier's own code as runs like all others.</summary>
/// <remarks>
/// The runs are written into the folder of results, with their samples where the files hold them, and their rows go down the pipeline: every cmdlet that takes results takes
/// them. What the files do not hold stays null: measured sparsities, times, memory. Analyses then take the nominal sparsity and say so. The same files give the same run id, so
/// importing them again changes nothing.
/// </remarks>
/// <example>
/// Imports evaluations of kvpress and asks how far each press is shown to go.
/// <code>Import-SparseAttentionResult ./kvpress/results -ResultPath ./imported | Measure-SparsityTolerance -MaximumDrop 0.05</code>
/// </example>
/// <example>
/// Imports a run of lm-evaluation-harness. Its files do not say how attention was computed, so it is said here.
/// <code>Import-SparseAttentionResult ./harness/results.json -Method BlockSparse -Sparsity 0.8 -Metric exact_match -ResultPath ./imported</code>
/// </example>
/// <example>
/// Imports what the paper's own code left and finds its frontier.
/// <code>Import-SparseAttentionResult ./experiments/results -Format SparseFrontierReference -ResultPath ./imported | Get-SparsityPareto -Cost Density</code>
/// </example>
[Cmdlet(VerbsData.Import, "SparseAttentionResult", DefaultParameterSetName = ParameterSets.Path, SupportsShouldProcess = true)]
[OutputType(typeof(SparseAttentionResult))]
public sealed class ImportSparseAttentionResultCommand : SparseFrontierCmdlet
{
    /// <summary>Files of results, or folders that are searched for them.</summary>
    [Parameter(
        Mandatory = true,
        Position = 0,
        ParameterSetName = ParameterSets.Path,
        ValueFromPipeline = true,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Files of results, or folders that are searched for them; wildcards match.")]
    [SupportsWildcards]
    public string[] Path { get; set; } = [];

    /// <summary>Files or folders, taken as they are: no character is a wildcard.</summary>
    [Parameter(Mandatory = true, ParameterSetName = ParameterSets.LiteralPath, ValueFromPipelineByPropertyName = true, HelpMessage = "Files or folders, taken as they are.")]
    [Alias("PSPath", "LP")]
    public string[] LiteralPath { get; set; } = [];

    /// <summary>Program that wrote the files. Auto tells it by their names and content.</summary>
    [Parameter(HelpMessage = "Program that wrote the files.")]
    public ResultFormat Format { get; set; } = ResultFormat.Auto;

    /// <summary>Folder of results that the runs are written to.</summary>
    /// <value>The folder that SPARSEFRONTIER_RESULTS names, else results in the current location</value>
    [Parameter(HelpMessage = "Folder of results to write to; without it SPARSEFRONTIER_RESULTS, else the folder results here.")]
    [ArgumentCompleter(typeof(ResultPathCompleter))]
    public string ResultPath { get; set; } = "";

    /// <summary>Prefill method by which the results were made, or a decode method after a dense prefill; only where the files do not say it (lm-evaluation-harness).</summary>
    [Parameter(HelpMessage = "Prefill method, or a decode method after a dense prefill, where the files do not say it.")]
    [ArgumentCompleter(typeof(MethodCompleter))]
    [ValidateNotNull]
    public string Method { get; set; } = "";

    /// <summary>Decode method by which the results were made, where the files do not say it.</summary>
    [Parameter(HelpMessage = "Decode method, where the files do not say it.")]
    [ArgumentCompleter(typeof(DecodeMethodCompleter))]
    [ValidateNotNull]
    public string DecodeMethod { get; set; } = "";

    /// <summary>Sparsity that was asked of the prefill method, or of the decode method where that is the only sparse one, 0 to below 1.</summary>
    [Parameter(HelpMessage = "Sparsity that was asked for, where the files do not say it.")]
    public double? Sparsity { get; set; }

    /// <summary>Sparsity that was asked of the decode method where both phases were sparse.</summary>
    [Parameter(HelpMessage = "Sparsity that was asked of the decode method where both phases were sparse.")]
    public double? DecodeSparsity { get; set; }

    /// <summary>Prompt tokens, where the files name none. 0 stands for not known.</summary>
    [Parameter(HelpMessage = "Prompt tokens, where the files name none.")]
    public int SequenceLength { get; set; }

    /// <summary>Metrics to take as the score, the first that a task has, as name or name:filter. Without it a task must have one only.</summary>
    /// <value>The only metric of a task</value>
    [Parameter(HelpMessage = "Metrics to take as the score, as name or name:filter.")]
    [ValidateNotNull]
    public string[] Metric { get; set; } = [];

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        IReadOnlyList<string> paths = ParameterSetName == ParameterSets.LiteralPath ? ResolveInput(LiteralPath, literal: true) : ResolveInput(Path, literal: false);
        if (paths.Count == 0)
        {
            return;
        }

        Run(() => new ImportResultOperation
        {
            Path = paths,
            Format = Format,
            ResultPath = ResultFolder(ResultPath),
            Method = Method,
            DecodeMethod = DecodeMethod,
            Sparsity = Sparsity,
            DecodeSparsity = DecodeSparsity,
            SequenceLength = SequenceLength,
            Metric = Metric,
        }.Execute);
    }
}
