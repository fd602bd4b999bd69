namespace SparseFrontier.Analysis;

/// <summary>Power of the one-sided one-sample t test, which a paired test is, and the samples that a power needs.</summary>
public static class Power
{
    /// <summary>The probability of rejecting when the effect is there.</summary>
    /// <param name="effect">Mean over standard deviation.</param>
    /// <param name="samples">Samples, above 1; need not be whole.</param>
    /// <param name="level">Level of the test, such as 0.05.</param>
    public static double OfTest(double effect, double samples, double level)
    {
        double critical = SpecialFunctions.StudentQuantile(1 - level, samples - 1);
        return 1 - SpecialFunctions.NoncentralStudentCumulative(critical, samples - 1, effect * Math.Sqrt(samples));
    }

    /// <summary>The samples, not rounded, with which the test has a power; infinity beyond ten million.</summary>
    /// <param name="effect">Mean over standard deviation, positive.</param>
    /// <param name="level">Level of the test.</param>
    /// <param name="power">Above the level and below 1, such as 0.8.</param>
    public static double SamplesNeeded(double effect, double level, double power)
    {
        if (!(effect > 0))
        {
            return double.PositiveInfinity;
        }

        // The normal approximation is a little short, and beyond a million close enough.
        double z = SpecialFunctions.NormalQuantile(1 - level) + SpecialFunctions.NormalQuantile(power);
        double estimate = z * z / (effect * effect);
        return estimate > 10_000_000 ? double.PositiveInfinity
            : estimate > 1_000_000 ? estimate
            : OfTest(effect, 2, level) >= power ? 2
            : SpecialFunctions.Invert(n => OfTest(effect, n, level), power, 2, (2 * estimate) + 20);
    }

    /// <summary>
    /// Samples with which the mean of bounded values would be shown to be below a threshold: the larger of what the one-sided t test needs for a power
    /// of 0.8 if mean and spread are as observed, and of the fewest samples of the observed composition whose bound (<see cref="BoundedMean"/>) is
    /// below it. Null if the mean is not below the threshold or more than ten million are needed.
    /// </summary>
    /// <param name="values">Values observed, none above <paramref name="maximum"/>.</param>
    /// <param name="maximum">The largest value that is possible.</param>
    /// <param name="threshold">The threshold.</param>
    /// <param name="level">Level of the test, such as 0.05.</param>
    public static int? BoundedSamplesNeeded(double[] values, double maximum, double threshold, double level)
    {
        ArgumentNullException.ThrowIfNull(values);
        double mean = values.Average();
        if (mean >= threshold || level <= 0)
        {
            return null;
        }

        double deviation = Math.Sqrt(values.Sum(v => (v - mean) * (v - mean)) / Math.Max(1, values.Length - 1));
        double byPower = deviation == 0 ? 0 : SamplesNeeded((threshold - mean) / deviation, level, 0.8);
        int? byBound = BoundedMean.SamplesNeeded(values, maximum, threshold, 1 - level);
        return byBound is null || byPower > 10_000_000 ? null : Math.Max(byBound.Value, (int)Math.Ceiling(byPower));
    }
}
