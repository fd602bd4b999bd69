namespace SparseFrontier.Attention;

/// <summary>Control: SnapKV's forced tokens, the rest drawn at random.</summary>
public sealed class RandomDecode : EvictionMethod
{
    /// <inheritdoc/>
    public override string Name => "Random";

    /// <inheritdoc/>
    public override bool IsControl => true;

    /// <inheritdoc/>
    public override MethodTaxonomy Taxonomy => new("tokens", "random", "uniform", "eviction");

    /// <inheritdoc/>
    public override string Description => "After the prompt every KV head keeps the forced tokens of SnapKV and others drawn by the sample's seed.";

    /// <summary>None.</summary>
    public override int QueriesNeeded(MethodParameters parameters) => 0;

    /// <inheritdoc/>
    public override string Source => "A control of this project";

    /// <inheritdoc/>
    internal override float[][] ScoreTokens(PromptLayer layer, MethodParameters parameters) =>
        [.. Enumerable.Range(0, layer.KvHeads).Select(head => DrawScores(layer, head))];
}
