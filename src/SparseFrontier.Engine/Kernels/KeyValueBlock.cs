using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels;

/// <summary>
/// Keys and values of one layer, float32, stored head by head. Heads may hold different numbers of tokens, as after an adaptive eviction,
/// and only those are stored.
/// </summary>
public sealed unsafe class KeyValueBlock : IDisposable
{
    private readonly long[] _offsets;
    private readonly NativeArray<float> _keys;
    private readonly NativeArray<float> _values;
    private readonly Dictionary<object, IDisposable> _derived = [];

    /// <summary>Room for <paramref name="capacities"/>[h] tokens in KV head h; the lengths start at the capacities.</summary>
    public KeyValueBlock(ReadOnlySpan<int> capacities, int dimension)
    {
        Dimension = dimension;
        Capacities = capacities.ToArray();
        Lengths = capacities.ToArray();
        _offsets = new long[capacities.Length + 1];
        for (int h = 0; h < capacities.Length; h++)
        {
            _offsets[h + 1] = _offsets[h] + ((long)capacities[h] * dimension);
        }

        _keys = new NativeArray<float>(_offsets[^1]);
        _values = new NativeArray<float>(_offsets[^1]);
    }

    /// <summary>Room for the same number of tokens in each of <paramref name="heads"/> KV heads.</summary>
    public KeyValueBlock(int heads, int capacity, int dimension)
        : this(Enumerable.Repeat(capacity, heads).ToArray(), dimension)
    {
    }

    /// <summary>Number of KV heads.</summary>
    public int Heads => Capacities.Length;

    /// <summary>Elements of one key.</summary>
    public int Dimension { get; }

    /// <summary>Tokens that each head has room for.</summary>
    public int[] Capacities { get; }

    /// <summary>Tokens that each head holds.</summary>
    public int[] Lengths { get; }

    /// <summary>Bytes of memory held.</summary>
    public long SizeInBytes => _keys.SizeInBytes + _values.SizeInBytes;

    /// <summary>The keys as [heads, capacity, dimension]; only where all heads have the same capacity.</summary>
    public HeadTensor Keys => View(_keys);

    /// <summary>The values as [heads, capacity, dimension]; only where all heads have the same capacity.</summary>
    public HeadTensor Values => View(_values);

    /// <summary>The key of a token.</summary>
    public float* Key(int head, int row) => _keys.Pointer + _offsets[head] + ((long)row * Dimension);

    /// <summary>The value of a token.</summary>
    public float* Value(int head, int row) => _values.Pointer + _offsets[head] + ((long)row * Dimension);

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
        _keys.Dispose();
        _values.Dispose();
    }

    private HeadTensor View(NativeArray<float> data)
    {
        if (Capacities.Length > 0 && Array.TrueForAll(Capacities, c => c == Capacities[0]))
        {
            return HeadTensor.HeadMajor(data.Pointer, Heads, Capacities[0], Dimension);
        }

        throw new InvalidOperationException("The heads of this block hold different numbers of tokens.");
    }
}

/// <summary>
/// What one decode configuration sees of one layer: the prompt's tokens (shared between configurations, or its own after an eviction) and
/// the tokens generated since, which are always its own. Token i of a head is prompt token i, or generated token i - prompt length.
/// </summary>
public sealed unsafe class LayerCache : IDisposable
{
    private readonly bool _ownsPrompt;
    private KeyValueBlock _generated;

    /// <summary>Starts with a prompt and nothing generated.</summary>
    /// <param name="prompt">The prompt's keys and values.</param>
    /// <param name="ownsPrompt">Whether <see cref="Dispose"/> frees them.</param>
    public LayerCache(KeyValueBlock prompt, bool ownsPrompt)
    {
        Prompt = prompt;
        _ownsPrompt = ownsPrompt;
        _generated = new KeyValueBlock(prompt.Heads, 64, prompt.Dimension);
        Array.Clear(_generated.Lengths);
    }

    /// <summary>The prompt's keys and values.</summary>
    public KeyValueBlock Prompt { get; }

    /// <summary>The keys and values generated since.</summary>
    public KeyValueBlock Generated => _generated;

    /// <summary>Number of generated tokens.</summary>
    public int GeneratedLength { get; private set; }

    /// <summary>Tokens that a KV head holds.</summary>
    public int Length(int head) => Prompt.Lengths[head] + GeneratedLength;

    /// <summary>The key of token <paramref name="index"/> of a KV head.</summary>
    public float* Key(int head, int index) =>
        index < Prompt.Lengths[head] ? Prompt.Key(head, index) : _generated.Key(head, index - Prompt.Lengths[head]);

    /// <summary>The value of token <paramref name="index"/> of a KV head.</summary>
    public float* Value(int head, int index) =>
        index < Prompt.Lengths[head] ? Prompt.Value(head, index) : _generated.Value(head, index - Prompt.Lengths[head]);

    /// <summary>Appends one token: keys and values [heads, dimension].</summary>
    public void Append(float* keys, float* values)
    {
        int dimension = Prompt.Dimension;
        if (Prompt.Heads > 0 && GeneratedLength == _generated.Capacities[0])
        {
            var larger = new KeyValueBlock(Prompt.Heads, _generated.Capacities[0] * 2, dimension);
            for (int h = 0; h < Prompt.Heads; h++)
            {
                long bytes = (long)GeneratedLength * dimension * sizeof(float);
                Buffer.MemoryCopy(_generated.Key(h, 0), larger.Key(h, 0), bytes, bytes);
                Buffer.MemoryCopy(_generated.Value(h, 0), larger.Value(h, 0), bytes, bytes);
            }

            _generated.Dispose();
            _generated = larger;
        }

        for (int h = 0; h < Prompt.Heads; h++)
        {
            long bytes = dimension * sizeof(float);
            Buffer.MemoryCopy(keys + ((long)h * dimension), _generated.Key(h, GeneratedLength), bytes, bytes);
            Buffer.MemoryCopy(values + ((long)h * dimension), _generated.Value(h, GeneratedLength), bytes, bytes);
            _generated.Lengths[h] = GeneratedLength + 1;
        }

        GeneratedLength++;
    }

    /// <summary>Forgets all generated tokens but the first <paramref name="length"/>.</summary>
    public void Truncate(int length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, GeneratedLength);
        GeneratedLength = length;
        Array.Fill(_generated.Lengths, length);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _generated.Dispose();
        if (_ownsPrompt)
        {
            Prompt.Dispose();
        }
    }
}
