using SparseFrontier.Kernels;
using SparseFrontier.Tensors;

namespace SparseFrontier.Models.Transformer;

/// <summary>Keys and values of the latest rows of a layer with a sliding window, as the cache stores them and widened to float32: what a chunk of rows attends to.</summary>
internal sealed unsafe class SlidingKeys : IDisposable
{
    private readonly int _heads;
    private readonly int _capacity;
    private readonly int _dimension;
    private readonly DataType _type;
    private readonly NativeArray<float> _keys;
    private readonly NativeArray<float> _values;
    private int _count;

    /// <summary>Room for the tokens that a chunk sees.</summary>
    /// <param name="heads">KV heads.</param>
    /// <param name="capacity">Most tokens: the largest window less one, and a chunk.</param>
    /// <param name="dimension">Elements of a key.</param>
    /// <param name="type">Type of the cache.</param>
    public SlidingKeys(int heads, int capacity, int dimension, DataType type)
    {
        _heads = heads;
        _capacity = capacity;
        _dimension = dimension;
        _type = type;
        _keys = new NativeArray<float>((long)heads * capacity * dimension, zeroed: false);
        _values = new NativeArray<float>((long)heads * capacity * dimension, zeroed: false);
    }

    /// <summary>[KV heads, tokens, dimension], the rows of the last chunk being the last.</summary>
    public HeadTensor Keys => View(_keys);

    /// <summary>[KV heads, tokens, dimension], as the keys.</summary>
    public HeadTensor Values => View(_values);

    /// <summary>Begins a layer.</summary>
    public void Clear() => _count = 0;

    /// <summary>Keeps the last tokens and puts a chunk's rows, rounded to the type of the cache, behind them.</summary>
    /// <param name="keys">[rows, KV heads, dimension].</param>
    /// <param name="values">[rows, KV heads, dimension].</param>
    /// <param name="rows">Rows of the chunk.</param>
    /// <param name="before">Tokens to keep, as far as there are so many.</param>
    /// <returns>Tokens before the chunk's.</returns>
    public int Append(float* keys, float* values, int rows, int before)
    {
        int kept = Math.Min(before, _count);
        int dropped = _count - kept;
        WorkerPool.For(2 * _heads, task =>
        {
            int head = task / 2;
            float* source = (task % 2 == 0 ? keys : values) + ((long)head * _dimension);
            float* target = (task % 2 == 0 ? _keys : _values).Pointer + ((long)head * _capacity * _dimension);
            Buffer.MemoryCopy(target + ((long)dropped * _dimension), target, (long)_capacity * _dimension * sizeof(float), (long)kept * _dimension * sizeof(float));
            byte* stored = stackalloc byte[_dimension * sizeof(float)];
            for (int row = 0; row < rows; row++)
            {
                KeyValueBlock.Store(source + ((long)row * _heads * _dimension), _type, stored, _dimension);
                KeyValueBlock.Load(stored, _type, target + ((long)(kept + row) * _dimension), _dimension);
            }
        });
        _count = kept + rows;
        return kept;
    }

    /// <summary>The last tokens as a block of a cache.</summary>
    public KeyValueBlock Last(int count)
    {
        var block = new KeyValueBlock(_heads, count, _dimension, _type);
        HeadTensor keys = Keys;
        HeadTensor values = Values;
        int first = _count - count;
        for (int head = 0; head < _heads && count > 0; head++)
        {
            block.Write(head, 0, keys.Row(head, first), values.Row(head, first), count);
        }

        return block;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _keys.Dispose();
        _values.Dispose();
    }

    private HeadTensor View(NativeArray<float> data) => new(data.Pointer, _heads, _count, _dimension, (long)_capacity * _dimension, _dimension);
}
