using SparseFrontier.Kernels;

namespace SparseFrontier.Attention;

/// <summary>A user's scores of pages: every step attends to the best pages and the current one.</summary>
internal sealed class UserPageMethod(UserMethod user) : PageMethod
{
    /// <inheritdoc/>
    public override string Name => user.Name;

    /// <inheritdoc/>
    public override MethodTaxonomy Taxonomy => new("pages", "the user's own code", "uniform", "full cache");

    /// <inheritdoc/>
    public override string Description => user.Description;

    /// <inheritdoc/>
    public override string Source => user.Source;

    /// <inheritdoc/>
    public override string? CodeHash => user.CodeHash;

    /// <summary>Without SharePages: the user's code sees a KV head and the mean of its queries.</summary>
    public override IReadOnlyList<MethodParameter> Parameters => SizeParameters;

    /// <inheritdoc/>
    public override StepSelector? CreateStepSelector(MethodParameters parameters, IReadOnlyList<LayerCache?> caches, KernelSet kernels, long seed) =>
        new Selector(this, user, parameters);

    private sealed unsafe class Selector(UserPageMethod method, UserMethod user, MethodParameters parameters) : PageSelector(method, parameters)
    {
        // Steps of several sequences run on threads of a pool; what the user's code needs to know of its caller travels with the context.
        private readonly ExecutionContext? _context = ExecutionContext.Capture();

        /// <summary>The user's code may read all keys.</summary>
        protected override long IndexBytes(PageList list, LayerCache cache) => (long)list.Pages * UnitSize * cache.Prompt.RowBytes;

        protected override void Score(int layer, LayerCache cache, float* queries, float scale, PageList[] lists, float[][] scores)
        {
            int dimension = cache.Prompt.Dimension;
            for (int i = 0; i < lists.Length; i++)
            {
                PageList list = lists[i];
                var query = new UnitVectors(
                    list.QueryHeads,
                    list.QueryHeads,
                    dimension,
                    (head, target) => new ReadOnlySpan<float>(queries + ((long)(list.FirstQueryHead + head) * dimension), dimension).CopyTo(target));
                var keys = new UnitVectors(list.Pages * UnitSize, UnitSize, dimension, (token, target) => cache.ReadKey(list.KvHead, token).CopyTo(target, 0));
                var context = new ScoreContext(keys, scale)
                {
                    Layer = layer,
                    Head = list.KvHead,
                    Position = cache.Length(list.KvHead),
                    Count = list.Pages,
                    UnitSize = UnitSize,
                    Query = query.Mean(0),
                };
                Ask(context, scores[i].AsMemory(0, list.Pages));
            }
        }

        private void Ask(ScoreContext context, Memory<float> scores)
        {
            if (_context is null)
            {
                user.Score(context, scores.Span);
            }
            else
            {
                ExecutionContext.Run(_context, _ => user.Score(context, scores.Span), null);
            }
        }
    }
}
