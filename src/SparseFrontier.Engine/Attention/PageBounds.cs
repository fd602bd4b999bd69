using SparseFrontier.Kernels;
using SparseFrontier.Tensors;

namespace SparseFrontier.Attention;

/// <summary>
/// Smallest and largest element of the keys of each whole page of a prompt, by KV head, in the type of the cache: the index of Quest. It is
/// computed once for a prompt and page size, whatever number of configurations decode from it, and freed with the prompt.
/// </summary>
internal sealed unsafe class PageBounds : IDisposable
{
    // Keys of a task: some hundred KB.
    private const int TaskTokens = 1024;

    private readonly long[] _offsets;
    private readonly NativeArray<byte> _bounds;

    private PageBounds(KeyValueBlock prompt, int pageSize, KernelSet kernels)
    {
        Pages = Array.ConvertAll(prompt.Lengths, length => length / pageSize);
        long pageBytes = 2L * prompt.RowBytes;
        _offsets = new long[Pages.Length + 1];
        for (int head = 0; head < Pages.Length; head++)
        {
            _offsets[head + 1] = _offsets[head] + (Pages[head] * pageBytes);
        }

        _bounds = new NativeArray<byte>(_offsets[^1]);
        int taskPages = Math.Max(1, TaskTokens / pageSize);
        int tasks = (Pages.Append(0).Max() + taskPages - 1) / taskPages;
        WorkerPool.For(tasks * Pages.Length, task =>
        {
            int head = task / tasks;
            int first = task % tasks * taskPages;
            int end = Math.Min(Pages[head], first + taskPages);
            for (int page = first; page < end; page++)
            {
                byte* bounds = Of(head) + (page * pageBytes);
                Clear(bounds, prompt.DataType, prompt.Dimension);
                kernels.ExtendBounds(prompt.Key(head, page * pageSize), prompt.DataType, pageSize, prompt.Dimension, bounds);
            }
        });
    }

    /// <summary>Whole pages of each KV head.</summary>
    public int[] Pages { get; }

    /// <summary>The bounds of a prompt, computed at the first call.</summary>
    public static PageBounds Of(KeyValueBlock prompt, int pageSize, KernelSet kernels) =>
        prompt.Derived((nameof(PageBounds), pageSize), () => new PageBounds(prompt, pageSize, kernels));

    /// <summary>The bounds of a page without keys: +∞ and -∞.</summary>
    public static void Clear(byte* bounds, DataType type, int dimension)
    {
        if (type == DataType.BF16)
        {
            new Span<ushort>(bounds, dimension).Fill(BFloat16.Round(float.PositiveInfinity));
            new Span<ushort>(bounds + (2 * dimension), dimension).Fill(BFloat16.Round(float.NegativeInfinity));
        }
        else
        {
            new Span<float>(bounds, dimension).Fill(float.PositiveInfinity);
            new Span<float>(bounds + (4 * dimension), dimension).Fill(float.NegativeInfinity);
        }
    }

    /// <summary>[pages, 2, dimension] of a KV head: minima and maxima of each page.</summary>
    public byte* Of(int head) => _bounds.Pointer + _offsets[head];

    /// <inheritdoc/>
    public void Dispose() => _bounds.Dispose();
}
