namespace SparseFrontier.Attention;

/// <summary>The same number of prompt tokens in every KV head, chosen by the last queries' attention.</summary>
public sealed class SnapKV : EvictionMethod
{
    /// <inheritdoc/>
    public override string Name => "SnapKV";

    /// <inheritdoc/>
    public override MethodTaxonomy Taxonomy => new("tokens", "attention of the last queries, smoothed", "uniform", "eviction");

    /// <inheritdoc/>
    public override string Description => "After the prompt every KV head keeps the tokens that the last queries attend to most; the others are evicted.";

    /// <inheritdoc/>
    public override string Source => "SnapKV, Li et al. 2024, arXiv:2404.14469; variant of The Sparse Frontier, arXiv:2504.17768, section 3";

    /// <inheritdoc/>
    public override IReadOnlyList<MethodParameter> Parameters { get; } = [.. SharedParameters, .. SnapKVScores.Parameters];

    /// <inheritdoc/>
    public override double? NominalSparsity(PromptShape shape, MethodParameters parameters) => UniformSparsity(shape, parameters);

    /// <inheritdoc/>
    protected override void Validate(MethodParameters parameters) => SnapKVScores.Validate(Name, parameters);

    /// <summary>The observation window.</summary>
    public override int QueriesNeeded(MethodParameters parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        return parameters.Integer(SnapKVScores.Window);
    }

    /// <summary>Mean over the group's query heads and sum over the window, pooled.</summary>
    internal override float[][] ScoreTokens(PromptLayer layer, MethodParameters parameters) =>
        SnapKVScores.Create(layer, parameters, (observed, size) => observed.AverageSums(size));
}
