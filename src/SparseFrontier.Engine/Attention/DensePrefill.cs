namespace SparseFrontier.Attention;

/// <summary>Causal attention to every key while the prompt is read.</summary>
public sealed class DensePrefill : PrefillMethod
{
    /// <inheritdoc/>
    public override string Name => "Dense";

    /// <inheritdoc/>
    public override MethodTaxonomy Taxonomy => new("none", "none", "none", "full cache");

    /// <inheritdoc/>
    public override string Description => "Every query attends to every key up to its own.";

    /// <inheritdoc/>
    public override string Source => "Vaswani et al. 2017, arXiv:1706.03762";

    /// <inheritdoc/>
    public override IReadOnlyList<MethodParameter> Parameters => [];

    /// <inheritdoc/>
    public override string? BudgetParameter => null;

    /// <inheritdoc/>
    public override double? NominalSparsity(PromptShape shape, MethodParameters parameters) => 0;

    /// <inheritdoc/>
    public override PrefillSelection Select(PromptLayer layer, MethodParameters parameters, int firstHead, int headCount)
    {
        ArgumentNullException.ThrowIfNull(layer);
        return new PrefillSelection(layer.Length);
    }

    /// <inheritdoc/>
    protected override double? UniformSparsity(PromptShape shape, MethodParameters parameters) => 0;

    /// <inheritdoc/>
    private protected override HeadSelection ChooseHead(PromptLayer layer, int queryHead, MethodParameters parameters) => HeadSelection.Dense(layer.Length);
}
