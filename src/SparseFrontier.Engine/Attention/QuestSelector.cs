using SparseFrontier.Kernels;
using SparseFrontier.Tensors;

namespace SparseFrontier.Attention;

/// <summary>
/// Selects pages for one sequence. Bounds of the prompt's whole pages are shared; those of the page that the prompt leaves unfinished and
/// of generated pages are the sequence's own, brought up to date when a step asks.
/// </summary>
internal sealed unsafe class QuestSelector : StepSelector
{
    private readonly Quest _method;
    private readonly MethodParameters _parameters;
    private readonly KernelSet _kernels;
    private readonly int _pageSize;
    private readonly bool _sharePages;
    private readonly Tail?[] _tails;

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
        bool sparse = false;
        for (int head = 0; head < kvHeads; head++)
        {
            var place = new BudgetPlace(layer, head, cache.Prompt.Lengths[head], Math.Max(0, cache.GeneratedLength - 1));
            budgets[head] = _method.At(_parameters, place)?.Integer(Quest.TokenBudget) / _pageSize ?? int.MaxValue;
            sparse |= (cache.Length(head) - 1) / _pageSize > budgets[head];
        }

        if (!sparse)
        {
            return null;
        }

        PageBounds bounds = PageBounds.Of(cache.Prompt, _pageSize, _kernels);
        Tail tail = _tails[layer] ??= new Tail(bounds, cache.Prompt.Lengths, _pageSize);
        tail.Extend(cache, _kernels);
        int group = queryHeads / kvHeads;
        var lists = new KeyRange[_sharePages ? kvHeads : queryHeads][];
        long[] forced = new long[kvHeads];
        long[] indexBytes = new long[kvHeads];
        WorkerPool.For(kvHeads, head =>
        {
            int length = cache.Length(head);
            int current = (length - 1) / _pageSize;
            if (current <= budgets[head])
            {
                Array.Fill(lists, [new KeyRange(0, length)], head * lists.Length / kvHeads, lists.Length / kvHeads);
                return;
            }

            int dimension = cache.Prompt.Dimension;
            int promptPages = Math.Min(current, bounds.Pages[head]);
            float[] scores = new float[current];
            float[] sums = new float[current];
            for (int i = 0; i < group; i++)
            {
                float* query = queries + ((long)((head * group) + i) * dimension);
                fixed (float* output = scores)
                {
                    _kernels.PageScores(query, bounds.Minima(head), bounds.Maxima(head), promptPages, dimension, output);
                    _kernels.PageScores(query, tail.Minima(head), tail.Maxima(head), current - promptPages, dimension, output + promptPages);
                }

                if (!_sharePages)
                {
                    lists[(head * group) + i] = Ranges(TopK.Select(scores, budgets[head]), current, length);
                    continue;
                }

                for (int page = 0; page < current; page++)
                {
                    sums[page] += scores[page];
                }
            }

            if (_sharePages)
            {
                lists[head] = Ranges(TopK.Select(sums, budgets[head]), current, length);
            }

            forced[head] = (length - ((long)current * _pageSize)) * group;
            indexBytes[head] = 2L * sizeof(float) * current * dimension;
        });
        ForcedCount += forced.Sum();
        IndexBytesRead += indexBytes.Sum();
        return new DecodeSelection(lists);
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

        base.Dispose();
    }

    // The chosen pages and the current one as ranges of tokens.
    private KeyRange[] Ranges(int[] pages, int current, int length)
    {
        var ranges = new List<KeyRange>();
        int start = pages.Length > 0 ? pages[0] : current;
        int end = start;
        foreach (int page in pages.Append(current))
        {
            if (page > end)
            {
                ranges.Add(new KeyRange(start * _pageSize, end * _pageSize));
                start = page;
            }

            end = page + 1;
        }

        ranges.Add(new KeyRange(start * _pageSize, length));
        return [.. ranges];
    }

    // Bounds of the pages after the prompt's whole ones, of one layer.
    private sealed class Tail(PageBounds prompt, int[] promptLengths, int pageSize) : IDisposable
    {
        private readonly int[] _folded = Array.ConvertAll(prompt.Pages, pages => pages * pageSize);
        private NativeArray<float>? _minima;
        private NativeArray<float>? _maxima;
        private int _dimension;
        private int _capacity;

        // Null where there are no such pages.
        public float* Minima(int head) => _minima is null ? null : _minima.Pointer + ((long)head * _capacity * _dimension);

        public float* Maxima(int head) => _maxima is null ? null : _maxima.Pointer + ((long)head * _capacity * _dimension);

        public void Extend(LayerCache cache, KernelSet kernels)
        {
            _dimension = cache.Prompt.Dimension;
            for (int head = 0; head < _folded.Length; head++)
            {
                int length = cache.Length(head);
                Reserve(((length + pageSize - 1) / pageSize) - prompt.Pages[head]);
                for (int token = _folded[head]; token < length; token++)
                {
                    long offset = (long)((token / pageSize) - prompt.Pages[head]) * _dimension;
                    if (token % pageSize == 0)
                    {
                        new Span<float>(Minima(head) + offset, _dimension).Fill(float.PositiveInfinity);
                        new Span<float>(Maxima(head) + offset, _dimension).Fill(float.NegativeInfinity);
                    }

                    kernels.ExtendBounds(cache.Key(head, token), 1, _dimension, Minima(head) + offset, Maxima(head) + offset);
                }

                _folded[head] = length;
            }
        }

        // Bounds cannot shrink, so the page that is cut is built anew from its first token.
        public void Truncate(int generatedLength)
        {
            for (int head = 0; head < _folded.Length; head++)
            {
                int length = promptLengths[head] + generatedLength;
                if (length < _folded[head])
                {
                    _folded[head] = Math.Max(prompt.Pages[head], length / pageSize) * pageSize;
                }
            }
        }

        public void Dispose()
        {
            _minima?.Dispose();
            _maxima?.Dispose();
        }

        private void Reserve(int pages)
        {
            if (pages <= _capacity)
            {
                return;
            }

            int capacity = Math.Max(8, Math.Max(pages, 2 * _capacity));
            _minima = Grow(_minima, capacity);
            _maxima = Grow(_maxima, capacity);
            _capacity = capacity;
        }

        private NativeArray<float> Grow(NativeArray<float>? old, int capacity)
        {
            int heads = _folded.Length;
            var larger = new NativeArray<float>((long)heads * capacity * _dimension);
            for (int head = 0; head < heads && old is not null; head++)
            {
                old.Slice((long)head * _capacity * _dimension, _capacity * _dimension)
                    .CopyTo(larger.Slice((long)head * capacity * _dimension, _capacity * _dimension));
            }

            old?.Dispose();
            return larger;
        }
    }
}
