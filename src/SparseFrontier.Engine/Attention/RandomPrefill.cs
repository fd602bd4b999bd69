using SparseFrontier.Tensors;

namespace SparseFrontier.Attention;

/// <summary>Control: BlockSparse's forced blocks, the rest drawn at random.</summary>
public sealed class RandomPrefill : BlockMethod
{
    /// <inheritdoc/>
    public override string Name => "Random";

    /// <inheritdoc/>
    public override bool IsControl => true;

    /// <inheritdoc/>
    public override MethodTaxonomy Taxonomy => new("blocks", "random", "uniform", "not applicable");

    /// <inheritdoc/>
    public override string Description => "Every block of query rows keeps the forced key blocks of BlockSparse and others drawn by the sample's seed.";

    /// <inheritdoc/>
    public override string Source => "A control of this project";

    /// <inheritdoc/>
    internal override BlockScorer CreateScorer(PromptLayer layer, int queryHead, MethodParameters parameters) =>
        new RandomScorer(Numbers(layer.Seed, layer.Layer, queryHead));

    /// <summary>What a head's blocks are drawn by: each block of rows has the stream of its index.</summary>
    /// <param name="seed">The sample's.</param>
    /// <param name="layer">Index of the layer.</param>
    /// <param name="queryHead">Index of the query head.</param>
    internal static RandomSource Numbers(long seed, int layer, int queryHead) => new("attention/Random/prefill", seed, layer, queryHead);

    private sealed class RandomScorer(RandomSource random) : BlockScorer
    {
        public override void Score(int row, Span<float> scores)
        {
            RandomSource own = random.At(row);
            foreach (ref float score in scores)
            {
                score = (float)own.NextDouble();
            }
        }
    }
}
