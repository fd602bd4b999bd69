using SparseFrontier.Kernels;
using SparseFrontier.Tensors;

namespace SparseFrontier.Attention;

/// <summary>Control for Quest: at every step the pages with the most exact attention. Reads every key to know them.</summary>
public sealed class OraclePages : PageMethod
{
    /// <inheritdoc/>
    public override string Name => "OraclePages";

    /// <inheritdoc/>
    public override bool IsControl => true;

    /// <inheritdoc/>
    public override MethodTaxonomy Taxonomy => new("pages", "exact attention", "uniform", "full cache");

    /// <inheritdoc/>
    public override string Description => "Every step attends to the pages with the most exact attention, and to the current page.";

    /// <inheritdoc/>
    public override string Source => "A control of this project";

    /// <inheritdoc/>
    public override StepSelector? CreateStepSelector(MethodParameters parameters, IReadOnlyList<LayerCache?> caches, KernelSet kernels, long seed) =>
        new Selector(this, parameters, kernels);

    private sealed unsafe class Selector(OraclePages method, MethodParameters parameters, KernelSet kernels) : PageSelector(method, parameters)
    {
        /// <summary>All keys.</summary>
        protected override long IndexBytes(PageList list, LayerCache cache) => (long)cache.Length(list.KvHead) * cache.Prompt.RowBytes;

        protected override void Score(int layer, LayerCache cache, float* queries, float scale, PageList[] lists, float[][] scores) =>
            WorkerPool.For(lists.Length, i =>
            {
                PageList list = lists[i];
                float* query = queries + ((long)list.FirstQueryHead * cache.Prompt.Dimension);
                float[] mass = OracleSelector.Mass(kernels, cache, list.KvHead, query, list.QueryHeads, scale);
                for (int page = 0; page < list.Pages; page++)
                {
                    double sum = 0;
                    foreach (float share in mass.AsSpan(page * UnitSize, UnitSize))
                    {
                        sum += share;
                    }

                    scores[i][page] = (float)sum;
                }
            });
    }
}
