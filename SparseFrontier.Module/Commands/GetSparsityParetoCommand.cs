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
/// <example><code>Get-SparseAttentionResult | Get-SparsityPareto</code></example>
/// <example><code>Get-Content other.jsonl | ConvertFrom-Json | Get-SparsityPareto -Cost PrefillSeconds -OptimalOnly</code></example>
[Cmdlet(VerbsCommon.Get, "SparsityPareto")]
[OutputType(typeof(SparsityPoint))]
public sealed class GetSparsityParetoCommand : SparseFrontierCmdlet
{
    private readonly List<SparseAttentionResult> _results = [];

    /// <summary>The rows.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, HelpMessage = "Rows of results, from a run, from disk, or from JSON or CSV.")]
    [RowTransformation(typeof(SparseAttentionResult), nameof(SparseAttentionResult.Method))]
    [ValidateNotNull]
    public SparseAttentionResult[] InputObject { get; set; } = [];

    /// <summary>Column of cost.</summary>
    [Parameter(HelpMessage = "Column of cost; less is better.")]
    [ArgumentCompleter(typeof(CostCompleter))]
    public string Cost { get; set; } = "Density";

    /// <summary>Column of value.</summary>
    [Parameter(HelpMessage = "Column of value; more is better.")]
    [ArgumentCompleter(typeof(ColumnCompleter))]
    public string Value { get; set; } = "Score";

    /// <summary>Columns that divide the rows into groups.</summary>
    [Parameter(HelpMessage = "Columns that divide the rows into groups, each with its own frontier.")]
    [ArgumentCompleter(typeof(ColumnCompleter))]
    public string[] GroupBy { get; set; } = ["Task", "SequenceLength"];

    /// <summary>Whether to emit only the frontier.</summary>
    [Parameter(HelpMessage = "Emit only the points on the frontier.")]
    public SwitchParameter OptimalOnly { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord() => _results.AddRange(InputObject);

    /// <inheritdoc/>
    protected override void EndProcessing() =>
        Run(() => new GetParetoOperation { Results = _results, Cost = Cost, Value = Value, GroupBy = GroupBy, OptimalOnly = OptimalOnly }.Execute);
}
