using SparseFrontier.Kernels;
using SparseFrontier.Tensors;

namespace SparseFrontier.Attention;

/// <summary>Control for Quest: the current page, the others drawn at random at every step.</summary>
public sealed class RandomPages : PageMethod
{
    /// <inheritdoc/>
    public override string Name => "RandomPages";

    /// <inheritdoc/>
    public override bool IsControl => true;

    /// <inheritdoc/>
    public override MethodTaxonomy Taxonomy => new("pages", "random", "uniform", "full cache");

    /// <inheritdoc/>
    public override string Description => "Every step attends to the current page and to others drawn by the sample's seed.";

    /// <inheritdoc/>
    public override string Source => "A control of this project";

    /// <inheritdoc/>
    public override StepSelector? CreateStepSelector(MethodParameters parameters, IReadOnlyList<LayerCache?> caches, KernelSet kernels, long seed) =>
        new Selector(this, parameters, seed);

    /// <summary>What a list's pages are drawn by; named by the step, so that nothing depends on which steps were taken before.</summary>
    /// <param name="seed">The sample's.</param>
    /// <param name="layer">Index of the layer.</param>
    /// <param name="list">Index of the list among those of the layer.</param>
    /// <param name="generated">Tokens generated so far, the step's own included.</param>
    internal static RandomSource Numbers(long seed, int layer, int list, int generated) => new("attention/RandomPages", seed, layer, list, generated);

    private sealed unsafe class Selector(RandomPages method, MethodParameters parameters, long seed) : PageSelector(method, parameters)
    {
        protected override long IndexBytes(PageList list, LayerCache cache) => 0;

        protected override void Score(int layer, LayerCache cache, float* queries, float scale, PageList[] lists, float[][] scores)
        {
            for (int i = 0; i < lists.Length; i++)
            {
                RandomSource random = Numbers(seed, layer, lists[i].Index, cache.GeneratedLength);
                foreach (ref float score in scores[i].AsSpan(0, lists[i].Pages))
                {
                    score = (float)random.NextDouble();
                }
            }
        }
    }
}
