using SparseFrontier.Tensors;

namespace SparseFrontier.Analysis;

/// <summary>
/// Bootstrap over samples that several runs share: each resample draws samples, and every run is looked at on the same draw, so that what
/// makes a sample hard for all of them cancels in comparisons. Deterministic.
/// </summary>
public static class PairedBootstrap
{
    /// <summary>Resamples that bands and intervals are made of.</summary>
    public const int DefaultCount = 2000;

    /// <summary>The mean of every run in every resample.</summary>
    /// <param name="values">[runs] values of the same samples in the same order.</param>
    /// <param name="count">Resamples.</param>
    /// <param name="stream">Sets of runs that share no samples take different streams, so that their draws are independent.</param>
    /// <returns>[count, runs].</returns>
    public static double[][] Means(IReadOnlyList<IReadOnlyList<double>> values, int count = DefaultCount, int stream = 0)
    {
        ArgumentNullException.ThrowIfNull(values);
        int n = values.Count == 0 ? 0 : values[0].Count;
        if (n == 0 || values.Any(v => v.Count != n))
        {
            throw new ArgumentException("Runs must share at least one sample and all of them.", nameof(values));
        }

        double[][] arrays = [.. values.Select(v => v.ToArray())];
        var random = new RandomSource("analysis/bootstrap", n, stream);
        double[][] means = new double[count][];
        int[] weights = new int[n];
        for (int b = 0; b < count; b++)
        {
            Array.Clear(weights);
            for (int i = 0; i < n; i++)
            {
                weights[random.Next(n)]++;
            }

            means[b] = new double[arrays.Length];
            for (int run = 0; run < arrays.Length; run++)
            {
                double sum = 0;
                double[] row = arrays[run];
                for (int i = 0; i < n; i++)
                {
                    sum += weights[i] * row[i];
                }

                means[b][run] = sum / n;
            }
        }

        return means;
    }

    /// <summary>The percentile interval of resampled values: linear between order statistics, as numpy's quantile.</summary>
    /// <param name="values">Resampled values.</param>
    /// <param name="confidence">Such as 0.95.</param>
    public static (double Low, double High) Interval(IEnumerable<double> values, double confidence = 0.95)
    {
        double[] sorted = [.. values.Order()];
        return (Quantile(sorted, (1 - confidence) / 2), Quantile(sorted, (1 + confidence) / 2));
    }

    private static double Quantile(double[] sorted, double p)
    {
        double place = p * (sorted.Length - 1);
        int below = (int)Math.Floor(place);
        double fraction = place - below;
        return fraction == 0 ? sorted[below] : sorted[below] + (fraction * (sorted[below + 1] - sorted[below]));
    }
}
