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
}
