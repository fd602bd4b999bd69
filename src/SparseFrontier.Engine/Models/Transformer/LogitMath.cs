namespace SparseFrontier.Models.Transformer;

/// <summary>What is read off a row of logits, in double precision and in a fixed order of addition.</summary>
internal static class LogitMath
{
    /// <summary>Index of the largest logit; of equal ones the lowest.</summary>
    /// <exception cref="SparseFrontierException">CheckpointInvalid: no logit is a number.</exception>
    public static int ArgMax(ReadOnlySpan<float> logits)
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

        return best >= 0 ? best : throw NotNumbers();
    }

    /// <summary>CheckpointInvalid: no logit is a number.</summary>
    public static SparseFrontierException NotNumbers() =>
        new(ErrorIds.CheckpointInvalid, "The model's logits are not numbers; its weights are damaged, or too large for their type.");

    /// <summary>Natural logarithm of the probability of a token.</summary>
    public static double LogProbability(ReadOnlySpan<float> logits, int token) => logits[token] - LogSumOfExponentials(logits);

    /// <summary>Kullback-Leibler divergence of a distribution from the dense one, Σ p log(p / q), in nats.</summary>
    /// <param name="dense">Logits, or log-probabilities, of p.</param>
    /// <param name="sparse">Logits, or log-probabilities, of q.</param>
    public static double Divergence(ReadOnlySpan<float> dense, ReadOnlySpan<float> sparse)
    {
        double denseNorm = LogSumOfExponentials(dense);
        double sparseNorm = LogSumOfExponentials(sparse);
        double sum = 0;
        for (int i = 0; i < dense.Length; i++)
        {
            double logP = dense[i] - denseNorm;
            if (logP > -60)
            {
                sum += Math.Exp(logP) * (logP - (sparse[i] - sparseNorm));
            }
        }

        // Rounding may leave a negative zero of the order of 1e-16.
        return Math.Max(0, sum);
    }

    /// <summary>What is subtracted from a logit to make it a log-probability.</summary>
    public static double LogSumOfExponentials(ReadOnlySpan<float> logits)
    {
        float maximum = logits[0];
        foreach (float logit in logits)
        {
            maximum = Math.Max(maximum, logit);
        }

        double sum = 0;
        foreach (float logit in logits)
        {
            sum += Math.Exp(logit - maximum);
        }

        return maximum + Math.Log(sum);
    }
}
