using SparseFrontier.Tensors;

namespace SparseFrontier.Models.Transformer;

/// <summary>
/// Cosines and sines of rotary position embeddings. Frequencies and angles are rounded to float32 where Hugging Face Transformers rounds
/// them, because at position 100,000 that rounding is visible in the logits.
/// </summary>
internal sealed unsafe class RotaryEmbedding
{
    private readonly float[] _frequencies;
    private readonly float _attentionFactor;

    /// <summary>The embedding of vectors.</summary>
    /// <param name="configuration">Base and scaling.</param>
    /// <param name="dimension">Elements of a vector.</param>
    /// <param name="frequencyType">Type that the frequencies are rounded to; F32 but in <see cref="ModelVerification"/>.</param>
    public RotaryEmbedding(RotaryConfiguration configuration, int dimension, DataType frequencyType = DataType.F32)
    {
        _frequencies = new float[dimension / 2];
        for (int i = 0; i < _frequencies.Length; i++)
        {
            float frequency = (float)(1 / Math.Pow(configuration.Base, 2.0 * i / dimension));
            frequency = configuration.Scaling switch
            {
                RotaryScaling.Linear => (float)(frequency / configuration.Factor),
                RotaryScaling.Llama3 => Llama3Frequency(configuration, frequency),
                RotaryScaling.Yarn => YarnFrequency(configuration, frequency, i, dimension),
                _ => frequency,
            };
            _frequencies[i] = frequencyType.Round(frequency);
        }

        _attentionFactor = configuration.Scaling == RotaryScaling.Yarn
            ? (float)(configuration.AttentionFactor ?? (configuration.Factor <= 1 ? 1 : (0.1 * Math.Log(configuration.Factor)) + 1))
            : 1;
    }

    /// <summary>Radians per position of each pair of elements.</summary>
    public ReadOnlySpan<float> Frequencies => _frequencies;

    /// <summary>Factor on cosines and sines.</summary>
    public float AttentionFactor => _attentionFactor;

    /// <summary>Computes the row of one position.</summary>
    /// <param name="position">Index of the token in its sequence.</param>
    /// <param name="cosines">[dimension / 2], written.</param>
    /// <param name="sines">[dimension / 2], written.</param>
    public void Fill(int position, float* cosines, float* sines)
    {
        for (int i = 0; i < _frequencies.Length; i++)
        {
            (double sine, double cosine) = Math.SinCos(position * _frequencies[i]);
            cosines[i] = (float)cosine * _attentionFactor;
            sines[i] = (float)sine * _attentionFactor;
        }
    }

    /// <summary>A table with room for so many rows at a time.</summary>
    public RotaryTable CreateTable(int rows) => new(this, rows);

    private static float Llama3Frequency(RotaryConfiguration configuration, float frequency)
    {
        double wavelength = 2 * Math.PI / frequency;
        if (wavelength < configuration.OriginalLength / configuration.HighFrequencyFactor)
        {
            return frequency;
        }

        if (wavelength > configuration.OriginalLength / configuration.LowFrequencyFactor)
        {
            return (float)(frequency / configuration.Factor);
        }

        double smooth = ((configuration.OriginalLength / wavelength) - configuration.LowFrequencyFactor)
            / (configuration.HighFrequencyFactor - configuration.LowFrequencyFactor);
        return (float)(((1 - smooth) * frequency / configuration.Factor) + (smooth * frequency));
    }

    private static float YarnFrequency(RotaryConfiguration configuration, float frequency, int index, int dimension)
    {
        double low = Dimension(configuration.BetaFast);
        double high = Dimension(configuration.BetaSlow);
        if (configuration.Truncate)
        {
            low = Math.Floor(low);
            high = Math.Ceiling(high);
        }

        low = Math.Max(low, 0);
        high = Math.Min(high, dimension - 1);
        double ramp = Math.Clamp((index - low) / (high == low ? 0.001 : high - low), 0, 1);
        return (float)((frequency / configuration.Factor * ramp) + (frequency * (1 - ramp)));

        // The (fractional) pair of elements that turns so many times within the original length.
        double Dimension(double rotations) =>
            dimension * Math.Log(configuration.OriginalLength / (rotations * 2 * Math.PI)) / (2 * Math.Log(configuration.Base));
    }
}

/// <summary>Cosines and sines of consecutive positions of a sequence. A position's row has the same bits whatever rows are beside it.</summary>
internal sealed unsafe class RotaryTable : IDisposable
{
    // Positions that a task computes.
    private const int TaskRows = 256;

    private readonly RotaryEmbedding _embedding;
    private readonly int _capacity;
    private readonly int _width;
    private readonly NativeArray<float> _cosines;
    private readonly NativeArray<float> _sines;
    private int _first;
    private int _count;

    /// <summary>Room for <paramref name="rows"/> positions; none is computed yet.</summary>
    public RotaryTable(RotaryEmbedding embedding, int rows)
    {
        _embedding = embedding;
        _capacity = rows;
        _width = embedding.Frequencies.Length;
        _cosines = new NativeArray<float>((long)rows * _width, zeroed: false);
        _sines = new NativeArray<float>((long)rows * _width, zeroed: false);
    }

    /// <summary>Computes the rows of some positions, unless they are there.</summary>
    /// <param name="first">First position.</param>
    /// <param name="rows">Number of positions, at most the table's.</param>
    public void Require(int first, int rows)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rows, _capacity);
        if (first >= _first && first + rows <= _first + _count)
        {
            return;
        }

        // Rows that follow those that are there are added where there is room: a table of a whole prompt is computed once.
        (_first, _count) = first == _first + _count && _count + rows <= _capacity ? (_first, _count + rows) : (first, rows);
        WorkerPool.For((rows + TaskRows - 1) / TaskRows, task =>
        {
            int end = Math.Min(rows, (task + 1) * TaskRows);
            for (int row = task * TaskRows; row < end; row++)
            {
                _embedding.Fill(first + row, Cosines(first + row), Sines(first + row));
            }
        });
    }

    /// <summary>The row of a position that is there; the next rows follow it.</summary>
    public float* Cosines(int position) => _cosines.Pointer + ((long)(position - _first) * _width);

    /// <summary>The row of a position that is there; the next rows follow it.</summary>
    public float* Sines(int position) => _sines.Pointer + ((long)(position - _first) * _width);

    /// <inheritdoc/>
    public void Dispose()
    {
        _cosines.Dispose();
        _sines.Dispose();
    }
}
