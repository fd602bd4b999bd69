using SparseFrontier.Kernels;

namespace SparseFrontier.Attention;

/// <summary>A user's scores of pages: every step attends to the best pages and the current one.</summary>
internal sealed class UserPageMethod(UserMethod user) : DecodeMethod
{
    private const string PageSize = "PageSize";
    private const string TokenBudget = "TokenBudget";

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

    /// <inheritdoc/>
    public override int QueriesNeeded(MethodParameters parameters) => 0;

    /// <inheritdoc/>
    public override IReadOnlyList<MethodParameter> Parameters { get; } =
    [
        new(PageSize, 16, 1, 4096, true, "Tokens of a page."),
        new(TokenBudget, 1024, 1, 1 << 24, true, "Tokens attended besides the current page; a multiple of PageSize."),
    ];

    /// <inheritdoc/>
    public override string? BudgetParameter => TokenBudget;

    /// <inheritdoc/>
    public override int BudgetUnit(MethodParameters parameters) => parameters.Integer(PageSize);

    /// <inheritdoc/>
    public override (double Minimum, double Maximum) BudgetRange(PromptShape shape, MethodParameters parameters) => (parameters.Integer(PageSize), shape.Length);

    /// <inheritdoc/>
    public override StepSelector? CreateStepSelector(MethodParameters parameters, IReadOnlyList<LayerCache?> caches, KernelSet kernels) => new Selector(this, user, parameters);

    /// <inheritdoc/>
    protected override void Validate(MethodParameters parameters)
    {
        if (parameters.Integer(TokenBudget) % parameters.Integer(PageSize) != 0)
        {
            throw new SparseFrontierException(
                ErrorIds.MethodParameterInvalid,
                $"{Name}: TokenBudget = {parameters.Integer(TokenBudget)} is not a multiple of PageSize = {parameters.Integer(PageSize)}.",
                parameters[TokenBudget]);
        }
    }

    /// <summary>Of the prompt's cache: the budget's pages and the last page, as at the first step.</summary>
    protected override double? UniformSparsity(PromptShape shape, MethodParameters parameters)
    {
        int size = parameters.Integer(PageSize);
        int pages = parameters.Integer(TokenBudget) / size;
        int current = (shape.Length - 1) / size;
        return current <= pages ? 0 : 1 - ((((double)pages * size) + shape.Length - ((double)current * size)) / shape.Length);
    }

    private sealed unsafe class Selector(UserPageMethod method, UserMethod user, MethodParameters parameters) : StepSelector
    {
        private readonly int _size = parameters.Integer(PageSize);

        // Steps of several sequences run on threads of a pool; what the user's code needs to know of its caller travels with the context.
        private readonly ExecutionContext? _context = ExecutionContext.Capture();

        public override string ListName => "pages";

        public override int UnitSize => _size;

        public override DecodeSelection? Select(int layer, LayerCache cache, float* queries, int queryHeads, float scale)
        {
            int kvHeads = cache.Prompt.Heads;
            int group = queryHeads / kvHeads;
            int dimension = cache.Prompt.Dimension;
            var lists = new KeyRange[kvHeads][];
            bool sparse = false;
            for (int h = 0; h < kvHeads; h++)
            {
                int head = h;
                int length = cache.Length(head);
                int current = (length - 1) / _size;
                var place = new BudgetPlace(layer, head, cache.Prompt.Lengths[head], Math.Max(0, cache.GeneratedLength - 1));
                int budget = method.At(parameters, place)?.Integer(TokenBudget) / _size ?? int.MaxValue;
                lists[head] = [new KeyRange(0, length)];
                if (current <= budget)
                {
                    continue;
                }

                sparse = true;
                int tokens = current * _size;
                var query = new UnitVectors(group, group, dimension, (i, target) => new ReadOnlySpan<float>(queries + ((((long)head * group) + i) * dimension), dimension).CopyTo(target));
                var keys = new UnitVectors(tokens, _size, dimension, (token, target) => cache.ReadKey(head, token).CopyTo(target, 0));
                float[] scores = new float[current];
                Ask(new ScoreContext(keys, scale) { Layer = layer, Head = head, Position = length, Count = current, UnitSize = _size, Query = query.Mean(0) }, scores);
                lists[head] = [.. TopK.Select(scores, budget).Select(page => new KeyRange(page * _size, (page + 1) * _size)), new KeyRange(tokens, length)];
                ForcedCount += (long)(length - tokens) * group;
                IndexBytesRead += (long)tokens * cache.Prompt.RowBytes;
            }

            return sparse ? new DecodeSelection(lists) : null;
        }

        // Nothing is kept from step to step.
        public override void Truncate(int generatedLength)
        {
        }

        private void Ask(ScoreContext context, float[] scores)
        {
            if (_context is null)
            {
                user.Score(context, scores);
            }
            else
            {
                ExecutionContext.Run(_context, _ => user.Score(context, scores), null);
            }
        }
    }
}
