using System.Management.Automation;
using SparseFrontier.Binding;
using SparseFrontier.Completion;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Finds which runs no other run beats in both cost and value.</summary>
/// <remarks>
/// All rows are collected first: a frontier needs them all. Rows from JSON, CSV or other modules are taken as well, as long as they have a
/// Score or a Method column.
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
/// Finds one frontier for each model and task.
/// <code>Get-SparseAttentionResult | Get-SparsityPareto -GroupBy Model, Task -OptimalOnly | Sort-Object Task, Cost</code>
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
    /// Column of cost, of which less is better: Density, PrefillDensity, DecodeDensity, or a column of the rows such as PrefillSeconds.
    /// </summary>
    [Parameter(HelpMessage = "Column of cost; less is better.")]
    [ArgumentCompleter(typeof(CostCompleter))]
    public string Cost { get; set; } = "Density";

    /// <summary>Column of value, of which more is better.</summary>
    [Parameter(HelpMessage = "Column of value; more is better.")]
    [ArgumentCompleter(typeof(ColumnCompleter))]
    public string Value { get; set; } = "Score";

    /// <summary>Columns that divide the rows into groups, each with a frontier of its own.</summary>
    [Parameter(HelpMessage = "Columns that divide the rows into groups, each with its own frontier.")]
    [ArgumentCompleter(typeof(ColumnCompleter))]
    public string[] GroupBy { get; set; } = ["Task", "SequenceLength"];

    /// <summary>Emits only the points on the frontier.</summary>
    [Parameter(HelpMessage = "Emit only the points on the frontier.")]
    public SwitchParameter OptimalOnly { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord() => _results.AddRange(InputObject);

    /// <inheritdoc/>
    protected override void EndProcessing() =>
        Run(() => new GetParetoOperation { Results = _results, Cost = Cost, Value = Value, GroupBy = GroupBy, OptimalOnly = OptimalOnly }.Execute);
}
