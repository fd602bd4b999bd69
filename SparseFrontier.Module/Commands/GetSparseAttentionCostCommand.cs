using System.Management.Automation;
using SparseFrontier.Binding;
using SparseFrontier.Completion;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Computes what methods cost on a model: operations of the prefill, memory traffic of a decode step, choosing included.</summary>
/// <remarks>
/// Nothing is measured or loaded: costs follow from the sizes in config.json or of a published model. That is why the verb is Get and not
/// Measure. The formulas are in docs/analysis.md.
/// </remarks>
/// <example>
/// Compares two decode methods on a published model, for one request and for a batch.
/// <code>Get-SparseAttentionCost Qwen2.5-7B Quest, SnapKV -SequenceLength 16384, 131072 -BatchSize 1, 64</code>
/// </example>
/// <example>
/// Takes the models that are here.
/// <code>Get-SparseAttentionModel | Get-SparseAttentionCost -Sparsity 0.5, 0.9</code>
/// </example>
/// <example>
/// Shows what the paper's equations and its figures say beside the exact cost.
/// <code>Get-SparseAttentionCost Qwen2.5-72B VerticalSlash -SequenceLength 131072 -Sparsity 0.8 -Formula Exact, Printed, Figure | Format-Table Formula, Total, Speedup</code>
/// </example>
[Cmdlet(VerbsCommon.Get, "SparseAttentionCost")]
[OutputType(typeof(SparseAttentionCost))]
public sealed class GetSparseAttentionCostCommand : SparseFrontierCmdlet
{
    /// <summary>Checkpoint directories, config.json files, names of embedded models, or of published shapes such as Qwen2.5-7B; without it the default model.</summary>
    [Parameter(
        Position = 0,
        ValueFromPipeline = true,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Checkpoint directories, config.json files, names of embedded models, or of published shapes such as Qwen2.5-7B.")]
    [ArgumentCompleter(typeof(ShapeCompleter))]
    [Alias("Path", "PSPath")]
    [ValidateNotNull]
    public string[] Model { get; set; } = [];

    /// <summary>Methods of either phase, by name or as a table with parameters such as @{ Name = 'Quest'; PageSize = 32 }; wildcards match all but controls.</summary>
    [Parameter(Position = 1, HelpMessage = "Methods of either phase: 'Quest' or @{ Name = 'Quest'; PageSize = 32 }; wildcards match all but controls.")]
    [MethodTransformation]
    [ArgumentCompleter(typeof(MethodCompleter))]
    [SupportsWildcards]
    [ValidateNotNull]
    public string[] Method { get; set; } = ["*"];

    /// <summary>Prompt lengths, in tokens; cached tokens of a decode step.</summary>
    [Parameter(HelpMessage = "Prompt lengths, in tokens; cached tokens of a decode step.")]
    [Alias("Length")]
    [ValidateNotNull]
    public int[] SequenceLength { get; set; } = [32768];

    /// <summary>Sparsities, 0 to below 1; without it 0.9, or what the parameters of a method give where its name carries some.</summary>
    [Parameter(HelpMessage = "Sparsities, 0 to below 1; without it 0.9, or what the parameters of a method give.")]
    [ValidateNotNull]
    public double[] Sparsity { get; set; } = [];

    /// <summary>Sequences of a batch: weights are read once for all of them.</summary>
    [Parameter(HelpMessage = "Sequences of a batch: weights are read once for all of them.")]
    [ValidateNotNull]
    public int[] BatchSize { get; set; } = [1];

    /// <summary>Readings of the formulas: Exact, Printed (the paper's equations), or Figure (as the paper's figures were made).</summary>
    [Parameter(HelpMessage = "Exact, Printed (the paper's equations), or Figure (as the paper's figures were made).")]
    [ValidateNotNull]
    public CostFormula[] Formula { get; set; } = [CostFormula.Exact];

    /// <summary>Bytes of a weight, for exact decode costs: 2 for 16 bits.</summary>
    [Parameter(HelpMessage = "Bytes of a weight, for exact decode costs.")]
    public double WeightBytes { get; set; } = 2;

    /// <summary>Bytes of an element of the cache, for exact decode costs: 2 for 16 bits.</summary>
    [Parameter(HelpMessage = "Bytes of an element of the cache, for exact decode costs.")]
    public double CacheBytes { get; set; } = 2;

    /// <inheritdoc/>
    protected override void ProcessRecord() => Run(() => new GetCostOperation
    {
        Model = [.. Model.SelectMany(ResolveModel)],
        Method = Method,
        SequenceLength = SequenceLength,
        Sparsity = Sparsity,
        BatchSize = BatchSize,
        Formula = Formula,
        WeightBytes = WeightBytes,
        CacheBytes = CacheBytes,
    }.Execute);
}
