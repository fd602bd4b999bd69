using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels;

/// <summary>
/// Keys and values of one layer, float32 or bfloat16, stored head by head. Heads may hold different numbers of tokens, as after an adaptive
/// eviction, and only those are stored; or they are listed in another block, which several evictions of one prompt share.
/// </summary>
public sealed unsafe class KeyValueBlock : IDisposable
{
    private readonly long[] _offsets;
    private readonly NativeArray<byte> _keys;
    private readonly NativeArray<byte> _values;
    private readonly Dictionary<object, IDisposable> _derived = [];

    // Of a block that lists tokens of another, whose keys and values then are those above: the tokens of all heads, and where each head's begin.
    private readonly NativeArray<int>? _listed;
    private readonly long[] _firstListed = [];

    /// <summary>Room for <paramref name="capacities"/>[h] tokens in KV head h; the lengths start at the capacities.</summary>
    /// <param name="capacities">Tokens by KV head.</param>
    /// <param name="dimension">Elements of one key.</param>
    /// <param name="type">F32 or BF16.</param>
    public KeyValueBlock(ReadOnlySpan<int> capacities, int dimension, DataType type = DataType.F32)
        : this(capacities, dimension, type, zeroed: true)
    {
    }

    private KeyValueBlock(ReadOnlySpan<int> capacities, int dimension, DataType type, bool zeroed)
    {
        if (type is not (DataType.F32 or DataType.BF16))
        {
            throw new ArgumentException($"Keys and values are stored as F32 or BF16, not {type}.", nameof(type));
        }

        Dimension = dimension;
        DataType = type;
        RowBytes = dimension * type.SizeInBytes();
        Capacities = capacities.ToArray();
        Lengths = capacities.ToArray();
        _offsets = new long[capacities.Length + 1];
        for (int h = 0; h < capacities.Length; h++)
        {
            _offsets[h + 1] = _offsets[h] + ((long)capacities[h] * RowBytes);
        }

        _keys = new NativeArray<byte>(_offsets[^1], zeroed);
        _values = new NativeArray<byte>(_offsets[^1], zeroed);
    }

    private KeyValueBlock(KeyValueBlock source, int[][] tokens)
    {
        Dimension = source.Dimension;
        DataType = source.DataType;
        RowBytes = source.RowBytes;
        Lengths = Array.ConvertAll(tokens, t => t.Length);
        Capacities = [.. Lengths];
        (_offsets, _keys, _values) = (source._offsets, source._keys, source._values);
        _firstListed = new long[tokens.Length + 1];
        for (int head = 0; head < tokens.Length; head++)
        {
            _firstListed[head + 1] = _firstListed[head] + tokens[head].Length;
        }

        _listed = new NativeArray<int>(_firstListed[^1], zeroed: false);
        for (int head = 0; head < tokens.Length; head++)
        {
            tokens[head].CopyTo(_listed.Slice(_firstListed[head], tokens[head].Length));
        }
    }

    /// <summary>Room for the same number of tokens in each of <paramref name="heads"/> KV heads.</summary>
    /// <param name="heads">KV heads.</param>
    /// <param name="capacity">Tokens of each.</param>
    /// <param name="dimension">Elements of one key.</param>
    /// <param name="type">F32 or BF16.</param>
    public KeyValueBlock(int heads, int capacity, int dimension, DataType type = DataType.F32)
        : this(Enumerable.Repeat(capacity, heads).ToArray(), dimension, type)
    {
    }

    /// <summary>Number of KV heads.</summary>
    public int Heads => Capacities.Length;

    /// <summary>Elements of one key.</summary>
    public int Dimension { get; }

    /// <summary>Type of the elements: F32 or BF16.</summary>
    public DataType DataType { get; }

    /// <summary>Bytes of one key.</summary>
    public int RowBytes { get; }

    /// <summary>Tokens that each head has room for.</summary>
    public int[] Capacities { get; }

    /// <summary>Tokens that each head holds.</summary>
    public int[] Lengths { get; }

    /// <summary>Bytes of memory held; those of a list alone, where another block holds the keys and values.</summary>
    public long SizeInBytes => _listed?.SizeInBytes ?? _keys.SizeInBytes + _values.SizeInBytes;

    /// <summary>Whether the tokens are listed in another block, so that they do not follow each other in memory and cannot be written.</summary>
    public bool IsList => _listed is not null;

    /// <summary>The keys as [heads, capacity, dimension]; only of float32, and where all heads have the same capacity.</summary>
    public HeadTensor Keys => View(_keys);

    /// <summary>The values as [heads, capacity, dimension]; only of float32, and where all heads have the same capacity.</summary>
    public HeadTensor Values => View(_values);

    /// <summary>The key of a token, <see cref="RowBytes"/> bytes; the keys of a head follow each other, unless the block is a list.</summary>
    public byte* Key(int head, int row) => _keys.Pointer + _offsets[head] + (Place(head, row) * RowBytes);

    /// <summary>The value of a token, <see cref="RowBytes"/> bytes; the values of a head follow each other, unless the block is a list.</summary>
    public byte* Value(int head, int row) => _values.Pointer + _offsets[head] + (Place(head, row) * RowBytes);

    /// <summary>Stores tokens of one head, rounded to the block's type.</summary>
    /// <param name="head">KV head.</param>
    /// <param name="row">First of the tokens.</param>
    /// <param name="keys">[rows, dimension].</param>
    /// <param name="values">[rows, dimension].</param>
    /// <param name="rows">Number of tokens.</param>
    /// <exception cref="InvalidOperationException">The block lists tokens of another.</exception>
    public void Write(int head, int row, float* keys, float* values, int rows = 1)
    {
        if (IsList)
        {
            throw new InvalidOperationException("A block that lists tokens of another cannot be written.");
        }

        Store(keys, DataType, Key(head, row), (long)rows * Dimension);
        Store(values, DataType, Value(head, row), (long)rows * Dimension);
    }

    /// <summary>Widens keys of one head to float32.</summary>
    /// <param name="head">KV head.</param>
    /// <param name="row">First of the tokens.</param>
    /// <param name="rows">Number of tokens.</param>
    /// <param name="target">[rows, dimension], written.</param>
    public void ReadKeys(int head, int row, int rows, float* target) => Read(_keys.Pointer + _offsets[head], head, row, rows, target);

    /// <summary>Widens values of one head to float32.</summary>
    /// <param name="head">KV head.</param>
    /// <param name="row">First of the tokens.</param>
    /// <param name="rows">Number of tokens.</param>
    /// <param name="target">[rows, dimension], written.</param>
    public void ReadValues(int head, int row, int rows, float* target) => Read(_values.Pointer + _offsets[head], head, row, rows, target);

    /// <summary>A block of its own with some of the tokens. Cost: one pass over what is kept.</summary>
    /// <param name="type">The block's own type, or BF16, which a float32 block is rounded to.</param>
    /// <param name="tokens">Ascending token indices by KV head; null for all.</param>
    public KeyValueBlock Copy(DataType type, int[][]? tokens = null)
    {
        // A task reads and writes some hundred KB.
        const int TaskTokens = 256;
        if (type != DataType && DataType != DataType.F32)
        {
            throw new ArgumentException($"A block of {DataType} is copied as it is, not to {type}.", nameof(type));
        }

        var copy = new KeyValueBlock(tokens is null ? Lengths : Array.ConvertAll(tokens, t => t.Length), Dimension, type, zeroed: false);
        int tasks = (copy.Lengths.Append(0).Max() + TaskTokens - 1) / TaskTokens;
        WorkerPool.For(tasks * Heads, task =>
        {
            int head = task / tasks;
            int first = task % tasks * TaskTokens;
            int end = Math.Min(copy.Lengths[head], first + TaskTokens);
            for (int i = first; i < end; i++)
            {
                int token = tokens is null ? i : tokens[head][i];
                if (type == DataType)
                {
                    Buffer.MemoryCopy(Key(head, token), copy.Key(head, i), RowBytes, RowBytes);
                    Buffer.MemoryCopy(Value(head, token), copy.Value(head, i), RowBytes, RowBytes);
                }
                else
                {
                    copy.Write(head, i, (float*)Key(head, token), (float*)Value(head, token));
                }
            }
        });
        return copy;
    }

    /// <summary>
    /// A block of some of the tokens, which are read where they lie in this one: it must not be disposed before. Cost: four bytes a token.
    /// </summary>
    /// <param name="tokens">Ascending token indices by KV head.</param>
    /// <exception cref="InvalidOperationException">This block lists tokens of another itself.</exception>
    public KeyValueBlock List(int[][] tokens) =>
        IsList ? throw new InvalidOperationException("Tokens are listed in the block that holds them.") : new KeyValueBlock(this, tokens);

    /// <summary>What is computed from the keys and values once they are complete, such as an index; created at the first call and freed with the block.</summary>
    /// <param name="name">Names it, equal for equal things.</param>
    /// <param name="create">Computes it.</param>
    public T Derived<T>(object name, Func<T> create)
        where T : IDisposable
    {
        lock (_derived)
        {
            if (!_derived.TryGetValue(name, out IDisposable? value))
            {
                value = create();
                _derived.Add(name, value);
            }

            return (T)value;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (IDisposable value in _derived.Values)
        {
            value.Dispose();
        }

        _derived.Clear();
        if (IsList)
        {
            _listed!.Dispose();
            return;
        }

        _keys.Dispose();
        _values.Dispose();
    }

    /// <summary>Where a head's keys, its values, and its list lie: token i is the one at this number, or at i where there is no list.</summary>
    internal (nint Keys, nint Values, nint List) Locate(int head) =>
        ((nint)(_keys.Pointer + _offsets[head]), (nint)(_values.Pointer + _offsets[head]), _listed is null ? 0 : (nint)(_listed.Pointer + _firstListed[head]));

    /// <summary>Stores elements in a cache's type, rounded.</summary>
    internal static void Store(float* source, DataType type, byte* target, long count)
    {
        if (type == DataType.BF16)
        {
            BFloat16.Round(source, (ushort*)target, count);
        }
        else
        {
            Buffer.MemoryCopy(source, target, count * sizeof(float), count * sizeof(float));
        }
    }

    /// <summary>Widens elements of a cache's type.</summary>
    internal static void Load(byte* source, DataType type, float* target, long count)
    {
        if (type == DataType.BF16)
        {
            BFloat16.Widen((ushort*)source, target, count);
        }
        else
        {
            Buffer.MemoryCopy(source, target, count * sizeof(float), count * sizeof(float));
        }
    }

    private long Place(int head, int row) => _listed is null ? row : _listed.Pointer[_firstListed[head] + row];

    private void Read(byte* first, int head, int row, int rows, float* target)
    {
        if (!IsList)
        {
            Load(first + ((long)row * RowBytes), DataType, target, (long)rows * Dimension);
            return;
        }

        for (int i = 0; i < rows; i++)
        {
            Load(first + (Place(head, row + i) * RowBytes), DataType, target + ((long)i * Dimension), Dimension);
        }
    }

    private HeadTensor View(NativeArray<byte> data) =>
        IsList ? throw new InvalidOperationException("Tokens that are listed do not follow each other.") :
        DataType != DataType.F32 ? throw new InvalidOperationException($"Keys and values of {DataType} are no float32 tensor.")
        : Capacities.Length > 0 && Array.TrueForAll(Capacities, c => c == Capacities[0]) ? HeadTensor.HeadMajor((float*)data.Pointer, Heads, Capacities[0], Dimension)
        : throw new InvalidOperationException("The heads of this block hold different numbers of tokens.");
}
