using SparseFrontier.Kernels;
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

    /// <summary>The next token.</summary>
    public int Next(ReadOnlySpan<float> logits)
    {
        if (_options.Temperature == 0)
        {
            return LogitMath.ArgMax(logits);
        }

        int best = LogitMath.ArgMax(logits);
        int[] candidates = TopK.Select(logits, _options.TopK > 0 ? _options.TopK : logits.Length);
        double[] weights = new double[candidates.Length];
        double total = 0;
        for (int i = 0; i < weights.Length; i++)
        {
            double exponent = (logits[candidates[i]] - logits[best]) / _options.Temperature;
            weights[i] = double.IsNaN(exponent) ? 0 : Math.Exp(exponent);
            total += weights[i];
        }

        if (_options.TopP < 1)
        {
            // Both orders are ascending in the token, so that equal weights keep it.
            int[] order = [.. Enumerable.Range(0, weights.Length).OrderByDescending(i => weights[i])];
            double kept = 0;
            int count = 0;
            while (count < order.Length && kept < _options.TopP * total)
            {
                kept += weights[order[count++]];
            }

            candidates = [.. order.Take(count).Select(i => candidates[i])];
            weights = [.. order.Take(count).Select(i => weights[i])];
            total = kept;
        }

        double draw = _random.NextDouble() * total;
        for (int i = 0; i < weights.Length; i++)
        {
            draw -= weights[i];
            if (draw < 0)
            {
                return candidates[i];
            }
        }

        return best;
    }
}
