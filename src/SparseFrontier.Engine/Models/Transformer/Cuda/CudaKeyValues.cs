using SparseFrontier.Kernels.Cuda;

namespace SparseFrontier.Models.Transformer.Cuda;

/// <summary>
/// What a prompt keeps of one layer on a GPU: keys and values by head, of which heads may hold different numbers after an eviction; only those are stored.
/// </summary>
internal sealed class CudaKeyValues : IDisposable
{
    private readonly Dictionary<int, CudaVectors> _bounds = [];
    private readonly CudaVectors? _wholeKeys;

    /// <summary>Takes memory in which head h's tokens begin at element <paramref name="offsets"/>[h].</summary>
    public CudaKeyValues(CudaMemory keys, CudaMemory values, long[] offsets, int[] lengths, int width)
    {
        Keys = keys;
        Values = values;
        Offsets = offsets;
        Lengths = lengths;
        Width = width;
    }

    /// <summary>Takes a whole layer, all heads of one length.</summary>
    public CudaKeyValues(CudaVectors keys, CudaVectors values)
        : this(
            keys.Memory,
            values.Memory,
            [.. Enumerable.Range(0, keys.Heads).Select(h => h * keys.HeadStride)],
            [.. Enumerable.Repeat(keys.Rows, keys.Heads)],
            keys.Width) =>
        _wholeKeys = keys;

    /// <summary>The keys.</summary>
    public CudaMemory Keys { get; }

    /// <summary>The values.</summary>
    public CudaMemory Values { get; }

    /// <summary>[KV heads]: first element of each head.</summary>
    public long[] Offsets { get; }

    /// <summary>[KV heads]: tokens of each head.</summary>
    public int[] Lengths { get; }

    /// <summary>Elements of a vector.</summary>
    public int Width { get; }

    /// <summary>Bytes held.</summary>
    public long SizeInBytes => Keys.SizeInBytes + Values.SizeInBytes;

    /// <summary>Address of a head's first key.</summary>
    public ulong Key(int head) => Keys.Address + (ulong)(Offsets[head] * 2);

    /// <summary>Address of a head's first value.</summary>
    public ulong Value(int head) => Values.Address + (ulong)(Offsets[head] * 2);

    /// <summary>Quest's bounds of the pages of a whole layer, computed at the first call and freed with it.</summary>
    public CudaVectors Bounds(int pageSize)
    {
        if (!_bounds.TryGetValue(pageSize, out CudaVectors? bounds))
        {
            bounds = CudaPages.Bounds(_wholeKeys ?? throw new InvalidOperationException("Pages are of whole caches."), pageSize);
            _bounds.Add(pageSize, bounds);
        }

        return bounds;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (CudaVectors bounds in _bounds.Values)
        {
            bounds.Dispose();
        }

        Keys.Dispose();
        Values.Dispose();
    }
}
