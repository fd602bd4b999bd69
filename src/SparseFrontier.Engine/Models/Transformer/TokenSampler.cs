using SparseFrontier.Tensors;

namespace SparseFrontier.Models.Transformer;

/// <summary>Chooses the next token from logits: the largest, or one drawn after temperature, top-k and top-p.</summary>
internal sealed class TokenSampler
{
    private readonly GenerationOptions _options;
    private readonly RandomSource _random;

    /// <summary>A sampler whose draws depend on the seed alone.</summary>
    public TokenSampler(GenerationOptions options, long seed)
    {
        _options = options;
        _random = new RandomSource("generation", seed);
    }

    /// <summary>Index of the largest logit, the lowest on ties.</summary>
    /// <exception cref="SparseFrontierException">CheckpointInvalid: no logit is a number.</exception>
    public static int Largest(ReadOnlySpan<float> logits)
    {
        int best = -1;
        float largest = float.NegativeInfinity;
        for (int i = 0; i < logits.Length; i++)
        {
            if (logits[i] > largest)
            {
                largest = logits[i];
                best = i;
            }
        }

        return best >= 0 ? best : throw new SparseFrontierException(
            ErrorIds.CheckpointInvalid,
            "The model's logits are not numbers; its weights are damaged, or too large for their type.");
    }

    /// <summary>The next token.</summary>
    public int Next(ReadOnlySpan<float> logits)
    {
        if (_options.Temperature == 0)
        {
            return Largest(logits);
        }

        int best = Largest(logits);
        int[] order = new int[logits.Length];
        float[] keys = new float[logits.Length];
        for (int i = 0; i < order.Length; i++)
        {
            order[i] = i;
            keys[i] = float.IsNaN(logits[i]) ? float.PositiveInfinity : -logits[i];
        }

        // Array.Sort is unstable: equal logits are put in the order of their tokens by a second comparison.
        Array.Sort(order, (a, b) => keys[a] != keys[b] ? keys[a].CompareTo(keys[b]) : a.CompareTo(b));
        int count = _options.TopK > 0 ? Math.Min(_options.TopK, order.Length) : order.Length;
        double[] weights = new double[count];
        double total = 0;
        for (int i = 0; i < count; i++)
        {
            weights[i] = keys[order[i]] == float.PositiveInfinity ? 0 : Math.Exp((logits[order[i]] - logits[best]) / _options.Temperature);
            total += weights[i];
        }

        double kept = 0;
        int last = 0;
        while (last < count && kept < _options.TopP * total)
        {
            kept += weights[last++];
        }

        double draw = _random.NextDouble() * kept;
        for (int i = 0; i < last; i++)
        {
            draw -= weights[i];
            if (draw < 0)
            {
                return order[i];
            }
        }

        return best;
    }
}
