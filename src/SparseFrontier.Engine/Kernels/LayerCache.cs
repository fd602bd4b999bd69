using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels;

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
        _generated = new KeyValueBlock(prompt.Heads, 64, prompt.Dimension, prompt.DataType);
        Array.Clear(_generated.Lengths);
    }

    /// <summary>The prompt's keys and values.</summary>
    public KeyValueBlock Prompt { get; }

    /// <summary>The keys and values generated since, of the prompt's type.</summary>
    public KeyValueBlock Generated => _generated;

    /// <summary>Number of generated tokens.</summary>
    public int GeneratedLength { get; private set; }

    /// <summary>Bytes of the tokens held, the prompt's included.</summary>
    public long SizeInBytes => (Prompt.Lengths.Sum(n => (long)n) + ((long)GeneratedLength * Prompt.Heads)) * 2 * Prompt.RowBytes;

    /// <summary>Tokens that a KV head holds.</summary>
    public int Length(int head) => Prompt.Lengths[head] + GeneratedLength;

    /// <summary>The key of token <paramref name="index"/> of a KV head, in the prompt's type.</summary>
    public byte* Key(int head, int index) =>
        index < Prompt.Lengths[head] ? Prompt.Key(head, index) : _generated.Key(head, index - Prompt.Lengths[head]);

    /// <summary>The value of token <paramref name="index"/> of a KV head, in the prompt's type.</summary>
    public byte* Value(int head, int index) =>
        index < Prompt.Lengths[head] ? Prompt.Value(head, index) : _generated.Value(head, index - Prompt.Lengths[head]);

    /// <summary>The key of a token, widened to float32.</summary>
    public float[] ReadKey(int head, int index) => Widen(Key(head, index));

    /// <summary>The value of a token, widened to float32.</summary>
    public float[] ReadValue(int head, int index) => Widen(Value(head, index));

    /// <summary>Appends one token: keys and values [heads, dimension], rounded to the prompt's type.</summary>
    public void Append(float* keys, float* values)
    {
        int dimension = Prompt.Dimension;
        if (Prompt.Heads > 0 && GeneratedLength == _generated.Capacities[0])
        {
            var larger = new KeyValueBlock(Prompt.Heads, _generated.Capacities[0] * 2, dimension, Prompt.DataType);
            for (int h = 0; h < Prompt.Heads; h++)
            {
                long bytes = (long)GeneratedLength * Prompt.RowBytes;
                Buffer.MemoryCopy(_generated.Key(h, 0), larger.Key(h, 0), bytes, bytes);
                Buffer.MemoryCopy(_generated.Value(h, 0), larger.Value(h, 0), bytes, bytes);
            }

            _generated.Dispose();
            _generated = larger;
        }

        for (int h = 0; h < Prompt.Heads; h++)
        {
            _generated.Write(h, GeneratedLength, keys + ((long)h * dimension), values + ((long)h * dimension));
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

    private float[] Widen(byte* row)
    {
        float[] values = new float[Prompt.Dimension];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = Prompt.DataType == DataType.BF16 ? BFloat16.Widen(((ushort*)row)[i]) : ((float*)row)[i];
        }

        return values;
    }
}
