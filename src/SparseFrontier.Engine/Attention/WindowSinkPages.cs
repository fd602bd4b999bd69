using SparseFrontier.Kernels;

namespace SparseFrontier.Attention;

/// <summary>Control for Quest: the first page and the latest ones, whatever they hold.</summary>
public sealed class WindowSinkPages : PageMethod
{
    /// <inheritdoc/>
    public override string Name => "WindowSinkPages";

    /// <inheritdoc/>
    public override bool IsControl => true;

    /// <inheritdoc/>
    public override MethodTaxonomy Taxonomy => new("local window and sinks, in pages", "fixed", "uniform", "full cache");

    /// <inheritdoc/>
    public override string Description => "Every step attends to the first page and to the latest ones.";

    /// <inheritdoc/>
    public override string Source => "StreamingLLM, Xiao et al. 2023, arXiv:2309.17453";

    /// <inheritdoc/>
    public override StepSelector? CreateStepSelector(MethodParameters parameters, IReadOnlyList<LayerCache?> caches, KernelSet kernels, long seed) =>
        new Selector(this, parameters);

    private sealed unsafe class Selector(WindowSinkPages method, MethodParameters parameters) : PageSelector(method, parameters)
    {
        protected override long IndexBytes(PageList list, LayerCache cache) => 0;

        /// <summary>All of them: nothing depends on what the pages hold.</summary>
        protected override int ForcedTokens(PageList list, int length) => base.ForcedTokens(list, length) + (list.Budget * UnitSize);

        protected override void Score(int layer, LayerCache cache, float* queries, float scale, PageList[] lists, float[][] scores)
        {
            for (int i = 0; i < lists.Length; i++)
            {
                for (int page = 0; page < lists[i].Pages; page++)
                {
                    scores[i][page] = page == 0 ? float.PositiveInfinity : page;
                }
            }
        }
    }
}
