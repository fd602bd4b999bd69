namespace SparseFrontier.Analysis;

/// <summary>
/// One-sided tests and bounds of the mean of bounded values, with no assumption on their distribution: Gaffke's (2005), the Bayesian
/// bootstrap with one more value at the upper end. For values of 0 and 1 it is the Clopper-Pearson bound exactly; where a t interval or a
/// plain bootstrap would have no width because all samples agree, it still has the right one. Learned-Miller and Thomas (2019,
/// arXiv 1905.06208) found it to hold its level everywhere they looked.
/// </summary>
/// <remarks>
/// The probability that a sum of values with uniform Dirichlet weights exceeds a threshold is that of a sum of exponential variables
/// exceeding 0, which Imhof's (1961) integral gives without simulation.
/// </remarks>
public static class BoundedMean
{
    /// <summary>P value of the hypothesis that the mean is at least <paramref name="threshold"/>.</summary>
    /// <param name="values">Values, none above <paramref name="maximum"/>.</param>
    /// <param name="maximum">The largest value that is possible.</param>
    /// <param name="threshold">The smallest mean of the hypothesis.</param>
    public static double PValue(ReadOnlySpan<double> values, double maximum, double threshold) => Exceeds(Group(values, 1), maximum, threshold);

    /// <summary>P value of the hypothesis that the mean is at least <paramref name="threshold"/>, of values with their counts, which need not be whole.</summary>
    /// <param name="values">Values, none above <paramref name="maximum"/>, and how often each was seen.</param>
    /// <param name="maximum">The largest value that is possible.</param>
    /// <param name="threshold">The smallest mean of the hypothesis.</param>
    internal static double PValue(IEnumerable<(double Value, double Count)> values, double maximum, double threshold) =>
        Exceeds([.. values.GroupBy(v => v.Value).OrderBy(g => g.Key).Select(g => (g.Key, g.Sum(v => v.Count)))], maximum, threshold);

    /// <summary>The bound that the mean stays below, with a confidence.</summary>
    /// <param name="values">Values, none above <paramref name="maximum"/>.</param>
    /// <param name="maximum">The largest value that is possible.</param>
    /// <param name="confidence">Above 0 and below 1, such as 0.95.</param>
    public static double UpperBound(ReadOnlySpan<double> values, double maximum, double confidence) => UpperBound(Group(values, 1), maximum, confidence);

    /// <summary>
    /// The fewest samples of the same composition as the given ones whose bound would stay below a threshold; null if none would, because
    /// the mean is not below it or more than ten million are needed.
    /// </summary>
    /// <param name="values">Values, none above <paramref name="maximum"/>.</param>
    /// <param name="maximum">The largest value that is possible.</param>
    /// <param name="threshold">The threshold.</param>
    /// <param name="confidence">Confidence of the bound.</param>
    public static int? SamplesNeeded(ReadOnlySpan<double> values, double maximum, double threshold, double confidence)
    {
        (double Value, double Count)[] once = Group(values, 1);
        int n = values.Length;
        if (n == 0 || once.Sum(v => v.Value * v.Count) / n >= threshold)
        {
            return null;
        }

        int high = 1;
        while (!Suffices(high))
        {
            if (high >= 10_000_000)
            {
                return null;
            }

            high *= 2;
        }

        int low = high / 2;
        while (high - low > 1)
        {
            int middle = low + ((high - low) / 2);
            (low, high) = Suffices(middle) ? (low, middle) : (middle, high);
        }

        return high;

        bool Suffices(int samples) => Exceeds([.. once.Select(v => (v.Value, v.Count * samples / n))], maximum, threshold) < 1 - confidence;
    }

    private static double UpperBound((double Value, double Count)[] values, double maximum, double confidence)
    {
        double least = values.Length == 0 ? maximum : values.Min(v => v.Value);
        return least >= maximum ? maximum : SpecialFunctions.Invert(u => 1 - Exceeds(values, maximum, u), confidence, least, maximum);
    }

    private static (double Value, double Count)[] Group(ReadOnlySpan<double> values, double weight) =>
        [.. values.ToArray().GroupBy(v => v).OrderBy(g => g.Key).Select(g => (g.Key, g.Count() * weight))];

    /// <summary>P(Σ wⱼ vⱼ ≥ threshold) for Dirichlet weights, each value as often as it was seen and the maximum once more.</summary>
    private static double Exceeds((double Value, double Count)[] values, double maximum, double threshold)
    {
        (double Weight, double Count)[] terms = [.. values.Append((maximum, 1)).Select(v => (v.Item1 - threshold, v.Item2)).Where(t => t.Item1 != 0)];
        if (terms.All(t => t.Weight >= 0))
        {
            return 1;
        }

        if (terms.All(t => t.Weight <= 0))
        {
            return 0;
        }

        // Imhof: P(Q > 0) = 1/2 + 1/π ∫ sin θ(u) / (u ρ(u)) du, θ = Σ n arctan(λ u), ρ = Π (1 + λ² u²)^(n/2), scaled to unit variance.
        double scale = Math.Sqrt(terms.Sum(t => t.Count * t.Weight * t.Weight));
        for (int i = 0; i < terms.Length; i++)
        {
            terms[i].Weight /= scale;
        }

        // Beyond forty standard deviations nothing is left to integrate.
        double standardised = terms.Sum(t => t.Count * t.Weight);
        if (Math.Abs(standardised) > 40)
        {
            return standardised > 0 ? 1 : 0;
        }

        // With u = exp(x) the integrand is smooth and falls on both sides, where the trapezoidal rule converges geometrically.
        double sum = 0;
        double logDecay = 0;
        double step = 1 / Math.Max(32, 4 * Math.Abs(standardised));
        for (int i = 0; logDecay < 45; i++)
        {
            double u = Math.Exp(-40 + (i * step));
            double angle = 0;
            logDecay = 0;
            foreach ((double weight, double count) in terms)
            {
                angle += count * Math.Atan(weight * u);
                logDecay += 0.5 * count * Math.Log(1 + (weight * weight * u * u));
            }

            sum += Math.Sin(angle) * Math.Exp(-logDecay);
        }

        return Math.Clamp(0.5 + (sum * step / Math.PI), 0, 1);
    }
}
