using SparseFrontier.Kernels;
using SparseFrontier.Tensors;

namespace SparseFrontier.Attention;

/// <summary>
/// Smallest and largest element of the keys of each whole page of a prompt, by KV head: the index of Quest. It is computed once for a prompt
/// and page size, whatever number of configurations decode from it, and freed with the prompt.
/// </summary>
internal sealed unsafe class PageBounds : IDisposable
{
    private readonly long[] _offsets;
    private readonly int _dimension;
    private readonly NativeArray<float> _minima;
    private readonly NativeArray<float> _maxima;

    private PageBounds(KeyValueBlock prompt, int pageSize, KernelSet kernels)
    {
        _dimension = prompt.Dimension;
        Pages = Array.ConvertAll(prompt.Lengths, length => length / pageSize);
        _offsets = new long[Pages.Length + 1];
        for (int head = 0; head < Pages.Length; head++)
        {
            _offsets[head + 1] = _offsets[head] + ((long)Pages[head] * _dimension);
        }

        _minima = new NativeArray<float>(_offsets[^1]);
        _maxima = new NativeArray<float>(_offsets[^1]);
        new Span<float>(_minima.Pointer, checked((int)_offsets[^1])).Fill(float.PositiveInfinity);
        new Span<float>(_maxima.Pointer, checked((int)_offsets[^1])).Fill(float.NegativeInfinity);
        WorkerPool.For(Pages.Length, head =>
        {
            for (int page = 0; page < Pages[head]; page++)
            {
                long offset = (long)page * _dimension;
                kernels.ExtendBounds(prompt.Key(head, page * pageSize), pageSize, _dimension, Minima(head) + offset, Maxima(head) + offset);
            }
        });
    }

    /// <summary>Whole pages of each KV head.</summary>
    public int[] Pages { get; }

    /// <summary>The bounds of a prompt, computed at the first call.</summary>
    public static PageBounds Of(KeyValueBlock prompt, int pageSize, KernelSet kernels) =>
        prompt.Derived((nameof(PageBounds), pageSize), () => new PageBounds(prompt, pageSize, kernels));

    /// <summary>[pages, dimension] of a KV head.</summary>
    public float* Minima(int head) => _minima.Pointer + _offsets[head];

    /// <summary>[pages, dimension] of a KV head.</summary>
    public float* Maxima(int head) => _maxima.Pointer + _offsets[head];

    /// <inheritdoc/>
    public void Dispose()
    {
        _minima.Dispose();
        _maxima.Dispose();
    }
}
