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
    private protected override BlockScorer CreateScorer(PromptLayer layer, int queryHead, MethodParameters parameters) =>
        new RandomScorer(new RandomSource("attention/Random/prefill", layer.Seed, layer.Layer, queryHead));

    private sealed class RandomScorer(RandomSource random) : BlockScorer
    {
        public override void Score(int row, Span<float> scores)
        {
            foreach (ref float score in scores)
            {
                score = (float)random.NextDouble();
            }
        }
    }
}
