using SparseFrontier.Kernels;
using SparseFrontier.Tensors;

namespace SparseFrontier.Attention;

/// <summary>Control for AdaSnapKV: its forced tokens and its share of the layer's budget for each KV head, the other tokens drawn at random.</summary>
/// <remarks>What AdaSnapKV scores above it is worth its choice of tokens; what this scores above Random, its spread over the heads.</remarks>
public sealed class RandomAdaSnapKV : AdaSnapKV
{
    /// <inheritdoc/>
    public override string Name => "RandomAdaSnapKV";

    /// <inheritdoc/>
    public override bool IsControl => true;

    /// <inheritdoc/>
    public override MethodTaxonomy Taxonomy => new("tokens", "random", "adaptive over the heads of a layer", "eviction");

    /// <inheritdoc/>
    public override string Description => "Every KV head keeps as many tokens as AdaSnapKV gives it: the forced ones and others drawn by the sample's seed.";

    /// <inheritdoc/>
    public override string Source => "A control of this project";

    /// <summary>None: the paper has no formula for it.</summary>
    public override double? NominalSparsity(PromptShape shape, MethodParameters parameters) => null;

    /// <inheritdoc/>
    public override KeptTokens? Compress(PromptLayer layer, MethodParameters parameters)
    {
        KeptTokens? shares = base.Compress(layer, parameters);
        if (shares is null)
        {
            return null;
        }

        int[][] drawn = new int[layer.KvHeads][];
        WorkerPool.For(drawn.Length, head =>
        {
            float[] scores = DrawScores(layer, head);
            Force(scores, parameters);
            drawn[head] = TopK.Select(scores, shares.ByHead[head].Length);
        });
        return shares with { ByHead = drawn };
    }
}
