using SparseFrontier.Kernels;

namespace SparseFrontier.Attention;

/// <summary>Control: at every step the tokens with the most exact attention. Reads every key to know them.</summary>
public sealed class OracleTopKDecode : DecodeMethod
{
    internal const string TokenBudget = "TokenBudget";

    /// <inheritdoc/>
    public override string Name => "OracleTopK";

    /// <inheritdoc/>
    public override bool IsControl => true;

    /// <inheritdoc/>
    public override MethodTaxonomy Taxonomy => new("tokens", "exact attention", "uniform", "full cache");

    /// <inheritdoc/>
    public override string Description => "Every step attends, in each KV head, to the tokens with the most exact attention, and to its own.";

    /// <summary>None.</summary>
    public override int QueriesNeeded(MethodParameters parameters) => 0;

    /// <inheritdoc/>
    public override string Source => "A control of this project";

    /// <inheritdoc/>
    public override IReadOnlyList<MethodParameter> Parameters { get; } =
    [
        new(TokenBudget, 1024, 1, 1 << 24, true, "Tokens attended by each KV head, the step's own included."),
    ];

    /// <inheritdoc/>
    public override string? BudgetParameter => TokenBudget;

    /// <inheritdoc/>
    public override StepSelector? CreateStepSelector(MethodParameters parameters, IReadOnlyList<LayerCache?> caches, KernelSet kernels, long seed) =>
        new OracleSelector(this, parameters, kernels);

    /// <inheritdoc/>
    protected override double? UniformSparsity(PromptShape shape, MethodParameters parameters)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(parameters);
        return 1 - (Math.Min(parameters[TokenBudget], shape.Length) / shape.Length);
    }
}
