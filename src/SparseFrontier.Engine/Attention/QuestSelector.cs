using SparseFrontier.Kernels;
using SparseFrontier.Tensors;

namespace SparseFrontier.Attention;

/// <summary>
/// Selects pages for one sequence. Bounds of the prompt's whole pages are shared; those of the page that the prompt leaves unfinished and
/// of generated pages are the sequence's own, brought up to date when a step asks.
/// </summary>
internal sealed unsafe class QuestSelector : StepSelector
{
    // Pages of a task: some hundred KB of bounds.
    private const int TaskPages = 512;

    private readonly Quest _method;
    private readonly MethodParameters _parameters;
    private readonly KernelSet _kernels;
    private readonly int _pageSize;
    private readonly bool _sharePages;
    private readonly Tail?[] _tails;
    private NativeArray<float> _scores = new(0);

    public QuestSelector(Quest method, MethodParameters parameters, IReadOnlyList<LayerCache?> caches, KernelSet kernels)
    {
        _method = method;
        _parameters = parameters;
        _kernels = kernels;
        _pageSize = parameters.Integer(Quest.PageSize);
        _sharePages = parameters.Flag(Quest.SharePages);
        _tails = new Tail?[caches.Count];
    }

    /// <inheritdoc/>
    public override string ListName => "pages";

    /// <inheritdoc/>
    public override int UnitSize => _pageSize;

    /// <inheritdoc/>
    public override DecodeSelection? Select(int layer, LayerCache cache, float* queries, int queryHeads, float scale)
    {
        int kvHeads = cache.Prompt.Heads;
        int[] budgets = new int[kvHeads];
        int[] current = new int[kvHeads];
        int most = 0;
        for (int head = 0; head < kvHeads; head++)
        {
            var place = new BudgetPlace(layer, head, cache.Prompt.Lengths[head], Math.Max(0, cache.GeneratedLength - 1));
            budgets[head] = _method.At(_parameters, place)?.Integer(Quest.TokenBudget) / _pageSize ?? int.MaxValue;
            current[head] = (cache.Length(head) - 1) / _pageSize;
            most = Math.Max(most, current[head] > budgets[head] ? current[head] : 0);
        }

        if (most == 0)
        {
            return null;
        }

        PageBounds bounds = PageBounds.Of(cache.Prompt, _pageSize, _kernels);
        Tail tail = _tails[layer] ??= new Tail(bounds, cache.Prompt, _pageSize);
        tail.Extend(cache, _kernels);
        var lists = new KeyRange[_sharePages ? kvHeads : queryHeads][];
        float* scores = Scores((long)lists.Length * most);
        int chunks = (most + TaskPages - 1) / TaskPages;
        WorkerPool.For(lists.Length * chunks, task => Score(task / chunks, task % chunks * TaskPages));
        WorkerPool.For(lists.Length, list =>
        {
            int head = list * kvHeads / lists.Length;
            lists[list] = current[head] <= budgets[head]
                ? [new KeyRange(0, cache.Length(head))]
                : Ranges(TopK.Select(new ReadOnlySpan<float>(scores + ((long)list * most), current[head]), budgets[head]), current[head], cache.Length(head));
        });
        for (int head = 0; head < kvHeads; head++)
        {
            if (current[head] > budgets[head])
            {
                ForcedCount += (cache.Length(head) - ((long)current[head] * _pageSize)) * (queryHeads / kvHeads);
                IndexBytesRead += 2L * current[head] * cache.Prompt.RowBytes;
            }
        }

        return new DecodeSelection(lists);

        void Score(int list, int first)
        {
            int head = list * kvHeads / lists.Length;
            if (current[head] <= budgets[head])
            {
                return;
            }

            KeyValueBlock prompt = cache.Prompt;
            int heads = queryHeads / lists.Length;
            int end = Math.Min(current[head], first + TaskPages);
            float* query = queries + ((long)list * heads * prompt.Dimension);
            float* output = scores + ((long)list * most);
            int promptEnd = Math.Min(end, bounds.Pages[head]);
            if (first < promptEnd)
            {
                byte* pages = bounds.Of(head) + (2L * first * prompt.RowBytes);
                _kernels.PageScores(query, heads, pages, prompt.DataType, promptEnd - first, prompt.Dimension, output + first);
            }

            int tailFirst = Math.Max(first, bounds.Pages[head]);
            if (tailFirst < end)
            {
                byte* pages = tail.Of(head) + (2L * (tailFirst - bounds.Pages[head]) * prompt.RowBytes);
                _kernels.PageScores(query, heads, pages, prompt.DataType, end - tailFirst, prompt.Dimension, output + tailFirst);
            }
        }
    }

    /// <inheritdoc/>
    public override void Truncate(int generatedLength)
    {
        foreach (Tail? tail in _tails)
        {
            tail?.Truncate(generatedLength);
        }
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        foreach (Tail? tail in _tails)
        {
            tail?.Dispose();
        }

        _scores.Dispose();
        base.Dispose();
    }

    private float* Scores(long count)
    {
        if (_scores.Length < count)
        {
            _scores.Dispose();
            _scores = new NativeArray<float>(2 * count);
        }

        return _scores.Pointer;
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
                ranges.Add(new KeyRange(start * _pageSize, end * _pageSize));
                start = page;
            }

            end = page + 1;
        }

        if (current > end)
        {
            ranges.Add(new KeyRange(start * _pageSize, end * _pageSize));
            start = current;
        }

        ranges.Add(new KeyRange(start * _pageSize, length));
        return [.. ranges];
    }

    // Bounds of the pages after the prompt's whole ones, of one layer: [heads, capacity, 2, dimension].
    private sealed class Tail(PageBounds bounds, KeyValueBlock prompt, int pageSize) : IDisposable
    {
        private readonly int[] _folded = Array.ConvertAll(bounds.Pages, pages => pages * pageSize);
        private readonly long _pageBytes = 2L * prompt.RowBytes;
        private NativeArray<byte>? _bounds;
        private int _capacity;

        // Null where there are no such pages.
        public byte* Of(int head) => _bounds is null ? null : _bounds.Pointer + (head * _capacity * _pageBytes);

        public void Extend(LayerCache cache, KernelSet kernels)
        {
            for (int head = 0; head < _folded.Length; head++)
            {
                int length = cache.Length(head);
                Reserve(((length + pageSize - 1) / pageSize) - bounds.Pages[head]);
                for (int token = _folded[head]; token < length; token++)
                {
                    byte* page = Of(head) + (((token / pageSize) - bounds.Pages[head]) * _pageBytes);
                    if (token % pageSize == 0)
                    {
                        PageBounds.Clear(page, prompt.DataType, prompt.Dimension);
                    }

                    kernels.ExtendBounds(cache.Key(head, token), prompt.DataType, 1, prompt.Dimension, page);
                }

                _folded[head] = length;
            }
        }

        // Bounds cannot shrink, so the page that is cut is built anew from its first token.
        public void Truncate(int generatedLength)
        {
            for (int head = 0; head < _folded.Length; head++)
            {
                int length = prompt.Lengths[head] + generatedLength;
                if (length < _folded[head])
                {
                    _folded[head] = Math.Max(bounds.Pages[head], length / pageSize) * pageSize;
                }
            }
        }

        public void Dispose() => _bounds?.Dispose();

        private void Reserve(int pages)
        {
            if (pages <= _capacity)
            {
                return;
            }

            int capacity = Math.Max(8, Math.Max(pages, 2 * _capacity));
            int heads = _folded.Length;
            var larger = new NativeArray<byte>(heads * capacity * _pageBytes);
            for (int head = 0; head < heads && _bounds is not null; head++)
            {
                _bounds.Slice(head * _capacity * _pageBytes, (int)(_capacity * _pageBytes)).CopyTo(larger.Slice(head * capacity * _pageBytes, (int)(_capacity * _pageBytes)));
            }

            _bounds?.Dispose();
            _bounds = larger;
            _capacity = capacity;
        }
    }
}
