using SparseFrontier.Kernels;
using SparseFrontier.Tensors;

namespace SparseFrontier.Attention;

/// <summary>What one list of pages is chosen for: a KV head, or one of its query heads where each has its own.</summary>
/// <param name="Index">Index of the list among those of the layer.</param>
/// <param name="KvHead">KV head.</param>
/// <param name="FirstQueryHead">First of the query heads that share the list.</param>
/// <param name="QueryHeads">Number of query heads.</param>
/// <param name="Pages">Whole pages before the current one, which are to be scored; more than the budget.</param>
/// <param name="Budget">How many of them are chosen.</param>
internal readonly record struct PageList(int Index, int KvHead, int FirstQueryHead, int QueryHeads, int Pages, int Budget);

/// <summary>Selects pages for one sequence by the scores of a subclass.</summary>
internal abstract unsafe class PageSelector(PageMethod method, MethodParameters parameters) : StepSelector
{
    // By list; of the calling thread, so that the steps of all sequences and layers find them in its cache.
    [ThreadStatic]
    private static float[][]? s_scores;

    private readonly bool _ownPages = method.HasOwnPages(parameters);

    /// <inheritdoc/>
    public override string ListName => "pages";

    /// <inheritdoc/>
    public override int UnitSize { get; } = parameters.Integer(PageMethod.PageSize);

    /// <inheritdoc/>
    public sealed override DecodeSelection? Select(int layer, LayerCache cache, float* queries, int queryHeads, float scale)
    {
        int kvHeads = cache.Prompt.Heads;
        int count = _ownPages ? queryHeads : kvHeads;
        var asked = new List<PageList>(count);
        var ranges = new KeyRange[count][];
        for (int list = 0; list < count; list++)
        {
            int head = list * kvHeads / count;
            int pages = (cache.Length(head) - 1) / UnitSize;
            int budget = Budget(layer, cache, head);
            if (pages > budget)
            {
                asked.Add(new PageList(list, head, list * queryHeads / count, queryHeads / count, pages, budget));
            }
            else
            {
                ranges[list] = [new KeyRange(0, cache.Length(head))];
            }
        }

        if (asked.Count == 0)
        {
            return null;
        }

        PageList[] lists = [.. asked];
        float[][] scores = Scores(lists);
        Score(layer, cache, queries, scale, lists, scores);
        WorkerPool.For(lists.Length, i =>
        {
            PageList list = lists[i];
            ranges[list.Index] = Ranges(TopK.Select(scores[i].AsSpan(0, list.Pages), list.Budget), list.Pages, cache.Length(list.KvHead));
        });
        foreach (PageList list in lists)
        {
            ForcedCount += (long)ForcedTokens(list, cache.Length(list.KvHead)) * list.QueryHeads;
        }

        foreach (PageList list in lists.DistinctBy(l => l.KvHead))
        {
            IndexBytesRead += IndexBytes(list, cache);
        }

        return new DecodeSelection(ranges);
    }

    /// <summary>Nothing is remembered between steps, unless a subclass says otherwise.</summary>
    public override void Truncate(int generatedLength)
    {
    }

    /// <summary>Scores the pages before the current one.</summary>
    /// <param name="layer">Index of the layer.</param>
    /// <param name="cache">The layer's cache.</param>
    /// <param name="queries">[query heads, dimension].</param>
    /// <param name="scale">Factor on query · key.</param>
    /// <param name="lists">What to score pages for.</param>
    /// <param name="scores">[lists][at least pages], written.</param>
    protected abstract void Score(int layer, LayerCache cache, float* queries, float scale, PageList[] lists, float[][] scores);

    /// <summary>Bytes that are read to choose for a KV head.</summary>
    protected abstract long IndexBytes(PageList list, LayerCache cache);

    /// <summary>Tokens of a list that are always kept: those of the current page.</summary>
    protected virtual int ForcedTokens(PageList list, int length) => length - (list.Pages * UnitSize);

    private int Budget(int layer, LayerCache cache, int head)
    {
        var place = new BudgetPlace(layer, head, cache.Prompt.Lengths[head], Math.Max(0, cache.GeneratedLength - 1));
        return method.At(parameters, place)?.Integer(PageMethod.TokenBudget) / UnitSize ?? int.MaxValue;
    }

    private static float[][] Scores(PageList[] lists)
    {
        float[][] scores = s_scores ?? [];
        if (scores.Length < lists.Length)
        {
            scores = [.. scores, .. Enumerable.Repeat<float[]>([], lists.Length - scores.Length)];
        }

        for (int i = 0; i < lists.Length; i++)
        {
            if (scores[i].Length < lists[i].Pages)
            {
                scores[i] = new float[2 * lists[i].Pages];
            }
        }

        return s_scores = scores;
    }

    // The chosen pages and the current one as ranges of tokens.
    private KeyRange[] Ranges(int[] pages, int current, int length)
    {
        var ranges = new List<KeyRange>(pages.Length + 1);
        int start = pages.Length > 0 ? pages[0] : current;
        int end = start;
        foreach (int page in pages)
        {
            if (page > end)
            {
                ranges.Add(new KeyRange(start * UnitSize, end * UnitSize));
                start = page;
            }

            end = page + 1;
        }

        if (current > end)
        {
            ranges.Add(new KeyRange(start * UnitSize, end * UnitSize));
            start = current;
        }

        ranges.Add(new KeyRange(start * UnitSize, length));
        return [.. ranges];
    }
}
