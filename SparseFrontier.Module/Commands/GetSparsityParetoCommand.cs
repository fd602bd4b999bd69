using System.Management.Automation;
using SparseFrontier.Binding;
using SparseFrontier.Completion;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Finds which runs no other run beats in both cost and value.</summary>
/// <remarks>
/// All rows are collected first: a frontier needs them all. Rows from JSON, CSV or other modules are taken as well, as long as they have a
/// Score or a Method column. Computed costs compare models of different sizes; densities do not and are refused for that. Where the runs'
/// folders are here, samples are resampled jointly for all runs: OptimalShare is how often a point stays on the frontier, FrontierLow and
/// FrontierHigh bound what its cost buys. A circle instead of the star marks a point that is on the frontier by its cost alone: its score is hardly above that of
/// answers at random (IsAboveChance). The formulas are in docs/analysis.md.
/// </remarks>
/// <example>
/// Marks the frontier among the results in the folder results.
/// <code>Get-SparseAttentionResult | Get-SparsityPareto</code>
/// </example>
/// <example>
/// Takes seconds of the prefill as cost, and rows from another place.
/// <code>Get-Content other.jsonl | ConvertFrom-Json | Get-SparsityPareto -Cost PrefillSeconds -OptimalOnly</code>
/// </example>
/// <example>
/// Compares the runs of all phases and models by what a request of 512 output tokens reads in a batch of 8.
/// <code>Get-SparseAttentionResult | Get-SparsityPareto -Cost MemoryReads -BatchSize 8 -OutputTokenCount 512</code>
/// </example>
/// <example>
/// Finds one frontier for each model and task.
/// <code>Get-SparseAttentionResult | Get-SparsityPareto -GroupBy Model, Task -OptimalOnly | Sort-Object Task, Cost</code>
/// </example>
/// <example>
/// Takes the mean score over all tasks, as the paper does, over models of all sizes at equal cost.
/// <code>Get-SparseAttentionResult | Get-SparsityPareto -Aggregate Mean -OptimalOnly</code>
/// </example>
[Cmdlet(VerbsCommon.Get, "SparsityPareto")]
[OutputType(typeof(SparsityPoint))]
public sealed class GetSparsityParetoCommand : SparseFrontierCmdlet
{
    private readonly List<SparseAttentionResult> _results = [];

    /// <summary>Rows of results: from runs, from disk, or from JSON, CSV and other modules, as long as they have a Method column.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, HelpMessage = "Rows of results, from a run, from disk, or from JSON or CSV.")]
    [RowTransformation(typeof(SparseAttentionResult), nameof(SparseAttentionResult.Method))]
    [ValidateNotNull]
    public SparseAttentionResult[] InputObject { get; set; } = [];

    /// <summary>
    /// Cost, of which less is better: PrefillFlops, DecodeBytes or MemoryReads, computed from the model's sizes; Density, PrefillDensity or
    /// DecodeDensity; or a column of the rows such as PrefillSeconds. Of DecodeSeconds, ElapsedSeconds and Joules, rows whose steps were shared with other runs
    /// (SequencesPerStep above 1) are left out: an equal share of a step says nothing of a method.
    /// </summary>
    /// <value>By phase: PrefillFlops for prefill methods, DecodeBytes for decode methods, MemoryReads where runs are sparse in both.</value>
    [Parameter(HelpMessage = "Cost, less is better: PrefillFlops, DecodeBytes, MemoryReads, Density, or a column of the rows.")]
    [ArgumentCompleter(typeof(CostCompleter))]
    [ValidateNotNull]
    public string Cost { get; set; } = "";

    /// <summary>Column of value, of which more is better.</summary>
    [Parameter(HelpMessage = "Column of value; more is better.")]
    [ArgumentCompleter(typeof(ColumnCompleter))]
    [ValidateNotNull]
    public string Value { get; set; } = "Score";

    /// <summary>Columns that divide the rows into groups, each with a frontier of its own.</summary>
    [Parameter(HelpMessage = "Columns that divide the rows into groups, each with its own frontier.")]
    [ArgumentCompleter(typeof(ColumnCompleter))]
    [ValidateNotNull]
    public string[] GroupBy { get; set; } = ["Task", "SequenceLength"];

    /// <summary>Puts the tasks of a configuration together: their mean, as in the paper's figures, or the worst. Configurations that lack a task are left out with a warning.</summary>
    [Parameter(HelpMessage = "Put the tasks of a configuration together: Mean or Worst.")]
    public TaskAggregate Aggregate { get; set; }

    /// <summary>Sequences that share the reading of weights, in computed costs of decode.</summary>
    [Parameter(HelpMessage = "Sequences that share the reading of weights, in computed costs of decode.")]
    public int BatchSize { get; set; } = 1;

    /// <summary>Output tokens of a request, in MemoryReads.</summary>
    [Parameter(HelpMessage = "Output tokens of a request, in MemoryReads.")]
    public int OutputTokenCount { get; set; } = 256;

    /// <summary>Emits only the points on the frontier.</summary>
    [Parameter(HelpMessage = "Emit only the points on the frontier.")]
    public SwitchParameter OptimalOnly { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord() => _results.AddRange(InputObject);

    /// <inheritdoc/>
    protected override void EndProcessing() =>
        Run(() => new GetParetoOperation
        {
            Results = _results,
            Cost = Cost,
            Value = Value,
            GroupBy = GroupBy,
            Aggregate = Aggregate,
            OptimalOnly = OptimalOnly,
            BatchSize = BatchSize,
            OutputTokenCount = OutputTokenCount,
        }.Execute);
}
