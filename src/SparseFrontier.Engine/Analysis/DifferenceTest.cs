namespace SparseFrontier.Analysis;

/// <summary>What samples say about the difference of two mean scores, the second minus the first. docs/analysis.md.</summary>
public abstract class DifferenceTest
{
    /// <summary>The power that a needed number of samples is computed for.</summary>
    protected const double WantedPower = 0.8;

    /// <summary>How it is tested: "Paired" or "Welch".</summary>
    public abstract string Name { get; }

    /// <summary>The difference observed.</summary>
    public abstract double Difference { get; }

    /// <summary>Samples of each run, or the fewer where they differ.</summary>
    public abstract int SampleCount { get; }

    /// <summary>One-sided lower bound of the difference.</summary>
    /// <param name="confidence">Such as 0.95.</param>
    public abstract double Low(double confidence);

    /// <summary>One-sided upper bound of the difference.</summary>
    /// <param name="confidence">Such as 0.95.</param>
    public abstract double High(double confidence);

    /// <summary>P value of "the difference is at most the threshold": small where it is shown to be above.</summary>
    public abstract double PValueAbove(double threshold);

    /// <summary>P value of "the difference is at least the threshold": small where it is shown to be below.</summary>
    public abstract double PValueBelow(double threshold);

    /// <summary>
    /// Samples with which the difference would be shown, with a power of 0.8, to lie on the side of the threshold where it was observed, if it
    /// and its spread are as observed; null where it lies on the threshold or more than ten million are needed.
    /// </summary>
    /// <param name="threshold">The threshold.</param>
    /// <param name="level">Level of the test, such as 0.05.</param>
    public abstract int? SamplesNeeded(double threshold, double level);

    /// <summary>Of scores of the same samples, each from 0 to 1: nothing else is assumed of them (<see cref="BoundedMean"/>).</summary>
    /// <param name="differences">Second minus first, of each sample.</param>
    public static DifferenceTest Paired(double[] differences)
    {
        ArgumentNullException.ThrowIfNull(differences);
        return differences.Length > 0 ? new PairedTest(differences) : throw new ArgumentException("There are no samples.", nameof(differences));
    }

    /// <summary>Of means and standard errors alone, by Welch's t: for runs that share no samples, or whose samples are not here.</summary>
    /// <param name="first">Mean, standard error and samples, at least 2.</param>
    /// <param name="second">Mean, standard error and samples, at least 2.</param>
    public static DifferenceTest Welch((double Mean, double Error, int Count) first, (double Mean, double Error, int Count) second) => new WelchTest(first, second);

    private sealed class PairedTest(double[] differences) : DifferenceTest
    {
        private readonly double[] _negated = [.. differences.Select(d => -d)];

        public override string Name => "Paired";

        public override double Difference { get; } = differences.Average();

        public override int SampleCount => differences.Length;

        public override double Low(double confidence) => -BoundedMean.UpperBound(_negated, 1, confidence);

        public override double High(double confidence) => BoundedMean.UpperBound(differences, 1, confidence);

        public override double PValueAbove(double threshold) => BoundedMean.PValue(_negated, 1, -threshold);

        public override double PValueBelow(double threshold) => BoundedMean.PValue(differences, 1, threshold);

        public override int? SamplesNeeded(double threshold, double level) =>
            Difference > threshold ? Power.BoundedSamplesNeeded(_negated, 1, -threshold, level) : Power.BoundedSamplesNeeded(differences, 1, threshold, level);
    }

    private sealed class WelchTest((double Mean, double Error, int Count) first, (double Mean, double Error, int Count) second) : DifferenceTest
    {
        private readonly double _error = Math.Sqrt((first.Error * first.Error) + (second.Error * second.Error));

        public override string Name => "Welch";

        public override double Difference => second.Mean - first.Mean;

        public override int SampleCount => Math.Min(first.Count, second.Count);

        private double Freedom
        {
            get
            {
                double a = first.Error * first.Error;
                double b = second.Error * second.Error;
                return (a + b) * (a + b) / ((a * a / (first.Count - 1)) + (b * b / (second.Count - 1)));
            }
        }

        public override double Low(double confidence) => Difference - Half(confidence);

        public override double High(double confidence) => Difference + Half(confidence);

        public override double PValueAbove(double threshold) => _error > 0
            ? SpecialFunctions.StudentCumulative((threshold - Difference) / _error, Freedom)
            : Difference > threshold ? 0 : 1;

        public override double PValueBelow(double threshold) => _error > 0
            ? SpecialFunctions.StudentCumulative((Difference - threshold) / _error, Freedom)
            : Difference < threshold ? 0 : 1;

        public override int? SamplesNeeded(double threshold, double level)
        {
            // The t test of two groups of n each has the effect of one group of n with the sum of their variances, and a little more power.
            double variance = (first.Error * first.Error * first.Count) + (second.Error * second.Error * second.Count);
            double needed = variance == 0 ? 2 : Power.SamplesNeeded(Math.Abs(Difference - threshold) / Math.Sqrt(variance), level, WantedPower);
            return Difference == threshold || needed > 10_000_000 ? null : (int)Math.Ceiling(needed);
        }

        private double Half(double confidence) => _error > 0 ? SpecialFunctions.StudentQuantile(confidence, Freedom) * _error : 0;
    }
}
