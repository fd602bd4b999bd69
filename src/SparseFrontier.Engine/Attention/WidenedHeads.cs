using SparseFrontier.Kernels;
using SparseFrontier.Tensors;

namespace SparseFrontier.Attention;

/// <summary>
/// Float32 copies of the keys and values of a few KV heads at a time, of layers that are stored as bfloat16. Methods and prompt attention compute in float32; a whole
/// layer of it would be twice what the cache keeps of the layer.
/// </summary>
internal sealed unsafe class WidenedHeads : IDisposable
{
    // A task reads and writes some hundred KB.
    private const int TaskTokens = 256;

    private readonly int _length;
    private readonly int _dimension;
    private readonly NativeArray<float> _keys;
    private readonly NativeArray<float> _values;
    private KeyValueBlock? _block;
    private int _first;
    private int _count;

    /// <summary>Room for as many KV heads as fit into some bytes, one at least.</summary>
    /// <param name="heads">KV heads of a layer.</param>
    /// <param name="length">Tokens of a head.</param>
    /// <param name="dimension">Elements of a key.</param>
    /// <param name="bytes">Memory to take.</param>
    public WidenedHeads(int heads, int length, int dimension, long bytes)
    {
        _length = length;
        _dimension = dimension;
        HeadsAtOnce = (int)Math.Clamp(bytes / (2L * length * dimension * sizeof(float)), 1, heads);
        _keys = new NativeArray<float>((long)HeadsAtOnce * length * dimension, zeroed: false);
        _values = new NativeArray<float>((long)HeadsAtOnce * length * dimension, zeroed: false);
    }

    /// <summary>KV heads that there is room for.</summary>
    public int HeadsAtOnce { get; }

    /// <summary>A layer's keys and values to widen from; complete, each head of the length.</summary>
    public KeyValueBlock? Block
    {
        get => _block;
        set
        {
            _count = value == _block ? _count : 0;
            _block = value;
        }
    }

    /// <summary>Widens some KV heads, unless they are what was widened last.</summary>
    /// <param name="first">First KV head.</param>
    /// <param name="count">Number of KV heads, at most <see cref="HeadsAtOnce"/>.</param>
    /// <returns>Keys and values as [KV heads, length, dimension], of which only those heads are there, until the next call.</returns>
    public (HeadTensor Keys, HeadTensor Values) Widen(int first, int count)
    {
        KeyValueBlock block = _block ?? throw new InvalidOperationException("There is no block to widen.");
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, HeadsAtOnce);
        if (first < _first || first + count > _first + _count)
        {
            int tasks = (_length + TaskTokens - 1) / TaskTokens;
            WorkerPool.For(count * tasks, task =>
            {
                int head = task / tasks;
                int token = task % tasks * TaskTokens;
                int tokens = Math.Min(TaskTokens, _length - token);
                long target = (((long)head * _length) + token) * _dimension;
                block.ReadKeys(first + head, token, tokens, _keys.Pointer + target);
                block.ReadValues(first + head, token, tokens, _values.Pointer + target);
            });
            (_first, _count) = (first, count);
        }

        return (View(_keys), View(_values));

        HeadTensor View(NativeArray<float> widened) =>
            HeadTensor.HeadMajor(widened.Pointer - ((long)_first * _length * _dimension), block.Heads, _length, _dimension);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _keys.Dispose();
        _values.Dispose();
    }
}
