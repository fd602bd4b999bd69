using SparseFrontier.Tensors;

namespace SparseFrontier.Attention;

/// <summary>Control for VerticalSlash and FlexPrefill: their forced columns and diagonals, the rest drawn at random.</summary>
public sealed class RandomVerticalSlash : VerticalSlash
{
    /// <inheritdoc/>
    public override string Name => "RandomVerticalSlash";

    /// <inheritdoc/>
    public override bool IsControl => true;

    /// <inheritdoc/>
    public override MethodTaxonomy Taxonomy => new("verticals and slashes", "random", "uniform", "not applicable");

    /// <inheritdoc/>
    public override string Description => "Every query head keeps the forced key columns and diagonals of VerticalSlash and others drawn by the sample's seed.";

    /// <inheritdoc/>
    public override string Source => "A control of this project";

    /// <summary>Those of VerticalSlash, but no window, because nothing is estimated.</summary>
    public override IReadOnlyList<MethodParameter> Parameters => [.. base.Parameters.Where(p => p.Name != Window)];

    /// <inheritdoc/>
    private protected override VerticalSlashRanking Rank(PromptLayer layer, int queryHead, MethodParameters parameters) =>
        VerticalSlashRanking.Random(layer.Length, new RandomSource("attention/RandomVerticalSlash", layer.Seed, layer.Layer, queryHead));
}
