using System.Diagnostics;
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

    /// <summary>Whether <see cref="Score"/> may be called for each list apart, from several threads at a time, once <see cref="Prepare"/> has run.</summary>
    protected virtual bool ScoresApart => false;

    /// <inheritdoc/>
    public sealed override DecodeSelection? Select(int layer, LayerCache cache, float* queries, int queryHeads, float scale)
    {
        PageList[] lists = Ask(layer, cache, queryHeads, out KeyRange[][] ranges);
        if (lists.Length == 0)
        {
            return null;
        }

        float[][] scores = Scores(lists);
        Prepare(layer, cache);
        Score(layer, cache, queries, scale, lists, scores);
        WorkerPool.For(lists.Length, i => ranges[lists[i].Index] = Choose(lists[i], scores[i], cache));
        Count(lists, cache);
        return new DecodeSelection(ranges);
    }

    /// <inheritdoc/>
    internal sealed override DecodeSelection? Attend(
        int layer, LayerCache cache, float* queries, int queryHeads, float scale, KernelSet kernels, float* output, out TimeSpan choosing)
    {
        long start = Stopwatch.GetTimestamp();
        PageList[] lists = [];
        KeyRange[][] ranges = [];
        if (ScoresApart && WorkerPool.FillsThreads(ListCount(cache, queryHeads)))
        {
            lists = Ask(layer, cache, queryHeads, out ranges);
        }

        if (lists.Length == 0 || lists.Length < ranges.Length || lists.Any(l => l.Pages != lists[0].Pages || l.Budget != lists[0].Budget))
        {
            return base.Attend(layer, cache, queries, queryHeads, scale, kernels, output, out choosing);
        }

        // Lists that take equally long: each is scored, chosen and attended to by one thread, which waits for no other in between.
        Prepare(layer, cache);
        long prepared = Stopwatch.GetTimestamp() - start;
        long spent = 0;
        var selection = new DecodeSelection(ranges);
        kernels.DecodeAttention(
            queries,
            queryHeads,
            cache,
            selection,
            i =>
            {
                long begin = Stopwatch.GetTimestamp();
                float[][] scores = Scores([lists[i]]);
                Score(layer, cache, queries, scale, [lists[i]], scores);
                ranges[i] = Choose(lists[i], scores[0], cache);
                Interlocked.Add(ref spent, Stopwatch.GetTimestamp() - begin);
            },
            scale,
            output);
        Count(lists, cache);
        choosing = Stopwatch.GetElapsedTime(0, prepared + (spent / Math.Min(lists.Length, WorkerPool.ThreadCount)));
        return selection;
    }

    // The lists that pages are chosen for, none if no budget is exceeded; of the others the ranges.
    private PageList[] Ask(int layer, LayerCache cache, int queryHeads, out KeyRange[][] ranges)
    {
        int kvHeads = cache.Prompt.Heads;
        int count = ListCount(cache, queryHeads);
        var asked = new List<PageList>(count);
        ranges = new KeyRange[count][];
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

        return [.. asked];
    }

    private int ListCount(LayerCache cache, int queryHeads) => _ownPages ? queryHeads : cache.Prompt.Heads;

    private KeyRange[] Choose(PageList list, float[] scores, LayerCache cache) =>
        Ranges(TopK.Select(scores.AsSpan(0, list.Pages), list.Budget), list.Pages, cache.Length(list.KvHead));

    private void Count(PageList[] lists, LayerCache cache)
    {
        foreach (PageList list in lists)
        {
            ForcedCount += (long)ForcedTokens(list, cache.Length(list.KvHead)) * list.QueryHeads;
        }

        foreach (PageList list in lists.DistinctBy(l => l.KvHead))
        {
            IndexBytesRead += IndexBytes(list, cache);
        }
    }

    /// <summary>Nothing is remembered between steps, unless a subclass says otherwise.</summary>
    public override void Truncate(int generatedLength)
    {
    }

    /// <summary>Brings up to date what <see cref="Score"/> reads.</summary>
    protected virtual void Prepare(int layer, LayerCache cache)
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
