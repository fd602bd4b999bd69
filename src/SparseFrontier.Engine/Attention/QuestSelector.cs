using SparseFrontier.Kernels;
using SparseFrontier.Tensors;

namespace SparseFrontier.Attention;

/// <summary>
/// Scores pages by their bounds. Those of the prompt's whole pages are shared; those of the page that the prompt leaves unfinished and
/// of generated pages are the sequence's own, brought up to date when a step asks.
/// </summary>
internal sealed unsafe class QuestSelector(Quest method, MethodParameters parameters, IReadOnlyList<LayerCache?> caches, KernelSet kernels)
    : PageSelector(method, parameters)
{
    // Pages of a task: some hundred KB of bounds.
    private const int TaskPages = 512;

    private readonly Tail?[] _tails = new Tail?[caches.Count];

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

    /// <summary>The minima and maxima of every page.</summary>
    protected override long IndexBytes(PageList list, LayerCache cache) => 2L * list.Pages * cache.Prompt.RowBytes;

    /// <inheritdoc/>
    protected override bool ScoresApart => true;

    /// <inheritdoc/>
    protected override void Prepare(int layer, LayerCache cache)
    {
        KeyValueBlock prompt = cache.Prompt;

        // Whichever sequence of the prompt is the first builds them for all: they are not of its steps.
        PageBounds bounds = PageBounds.Of(prompt, UnitSize, kernels is CountingKernels counting ? counting.Inner : kernels);
        Tail tail = _tails[layer] ??= new Tail(bounds, prompt, UnitSize);
        tail.Extend(cache, kernels);
    }

    /// <inheritdoc/>
    protected override void Score(int layer, LayerCache cache, float* queries, float scale, PageList[] lists, float[][] scores)
    {
        KeyValueBlock prompt = cache.Prompt;
        Tail tail = _tails[layer]!;
        PageBounds bounds = tail.Whole;
        int chunks = (lists.Max(l => l.Pages) + TaskPages - 1) / TaskPages;
        WorkerPool.For(lists.Length * chunks, task =>
        {
            PageList list = lists[task / chunks];
            int first = task % chunks * TaskPages;
            int end = Math.Min(list.Pages, first + TaskPages);
            int whole = bounds.Pages[list.KvHead];
            float* query = queries + ((long)list.FirstQueryHead * prompt.Dimension);
            fixed (float* output = scores[task / chunks])
            {
                Run(bounds.Of(list.KvHead), first, Math.Min(end, whole), 0, query, list.QueryHeads, output);
                Run(tail.Of(list.KvHead), Math.Max(first, whole), end, whole, query, list.QueryHeads, output);
            }
        });

        // Pages from first to end; those of the index begin with another.
        void Run(byte* index, int first, int end, int indexFirst, float* query, int queryHeads, float* output)
        {
            if (first < end)
            {
                byte* pages = index + (2L * (first - indexFirst) * prompt.RowBytes);
                kernels.PageScores(query, queryHeads, pages, prompt.DataType, end - first, prompt.Dimension, output + first);
            }
        }
    }

    // Bounds of the pages after the prompt's whole ones, of one layer: [heads, capacity, 2, dimension].
    private sealed class Tail(PageBounds bounds, KeyValueBlock prompt, int pageSize) : IDisposable
    {
        private readonly int[] _folded = Array.ConvertAll(bounds.Pages, pages => pages * pageSize);
        private readonly long _pageBytes = 2L * prompt.RowBytes;
        private NativeArray<byte>? _bounds;
        private int _capacity;

        /// <summary>Those of the prompt's whole pages.</summary>
        public PageBounds Whole => bounds;

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
