namespace SparseFrontier.Attention;

/// <summary>Attention to the whole cache at every step.</summary>
public sealed class DenseDecode : DecodeMethod
{
    /// <inheritdoc/>
    public override string Name => "Dense";

    /// <inheritdoc/>
    public override MethodTaxonomy Taxonomy => new("none", "none", "none", "full cache");

    /// <inheritdoc/>
    public override string Description => "Every step attends to the whole cache.";

    /// <summary>None.</summary>
    public override int QueriesNeeded(MethodParameters parameters) => 0;

    /// <inheritdoc/>
    public override string Source => "Vaswani et al. 2017, arXiv:1706.03762";

    /// <inheritdoc/>
    public override IReadOnlyList<MethodParameter> Parameters => [];

    /// <inheritdoc/>
    public override string? BudgetParameter => null;

    /// <inheritdoc/>
    public override double? NominalSparsity(PromptShape shape, MethodParameters parameters) => 0;

    /// <inheritdoc/>
    protected override double? UniformSparsity(PromptShape shape, MethodParameters parameters) => 0;
}
