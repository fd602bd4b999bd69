using SparseFrontier.Analysis;
using SparseFrontier.Tensors;

namespace SparseFrontier.Experiments.Findings;

/// <summary>
/// The samples a run with which a claim would be decided, one way or the other, with a power of <see cref="Wanted"/>, if differences and their spread are as observed. Questions of a task and a length are drawn
/// from those observed, as many as a run has; what several differences say of one question is drawn together, so that it counts how often all of them are shown at once.
/// </summary>
internal sealed class FindingPower
{
    /// <summary>The power that is asked for.</summary>
    public const double Wanted = 0.8;

    private const int DrawCount = 1000;
    private const int MostSamples = 1_000_000;

    // Beyond these an integral has no digits left; every level lies far within.
    private const double SmallestPValue = 1e-12;

    private readonly (Planned[] Questions, bool IsEvery)[] _sides;
    private readonly int _now;

    private FindingPower(IEnumerable<(FindingSide Side, double Level)> sides)
    {
        (FindingSide Side, double Level)[] given = [.. sides];
        FindingTest[] tests = [.. given.SelectMany(s => s.Side.Questions).Select(q => q.Test).Distinct()];
        var draws = Draws(tests);
        _now = tests.Min(t => t.RunSampleCountLow);

        // A side on which no number of samples ends up is left out.
        _sides = [.. given
            .Select(s => (Questions: s.Side.Questions.Select(q => new Planned(q, draws[q.Test], -SpecialFunctions.NormalQuantile(s.Side.LevelOfOne(s.Level)))).ToArray(), s.Side.IsEvery))
            .Where(s => s.IsEvery ? s.Questions.All(q => q.IsTrue) : s.Questions.Any(q => q.IsTrue))];
    }

    /// <summary>Samples a run, more than the fewest that one has; null where no number up to a million suffices.</summary>
    /// <param name="sides">What would decide the claim, with the level that each is tested at.</param>
    public static int? SamplesNeeded(params IEnumerable<(FindingSide Side, double Level)> sides)
    {
        var power = new FindingPower(sides);
        if (power._sides.Length == 0)
        {
            return null;
        }

        int low = power._now;
        int high = low + 1;
        while (power.At(high) < Wanted)
        {
            if (high >= MostSamples)
            {
                return null;
            }

            (low, high) = (high, Math.Min(MostSamples, high * 3 / 2 + 1));
        }

        while (high - low > Math.Max(1, high / 200))
        {
            int middle = low + ((high - low) / 2);
            (low, high) = power.At(middle) < Wanted ? (middle, high) : (low, middle);
        }

        return high;
    }

    // The share of draws in which a side is shown.
    private double At(int samples)
    {
        bool[] decided = new bool[DrawCount];
        foreach ((Planned[] questions, bool isEvery) in _sides)
        {
            int[] shown = new int[DrawCount];
            foreach (Planned question in questions)
            {
                question.Count(samples, shown);
            }

            for (int b = 0; b < DrawCount; b++)
            {
                decided[b] |= isEvery ? shown[b] == questions.Length : shown[b] > 0;
            }
        }

        return (double)decided.Count(d => d) / DrawCount;
    }

    // Errors of the means of each test's strata, by draw and stratum, for one sample each: a sample has one normal number a draw, whatever tests it is in.
    private static Dictionary<FindingTest, double[][]> Draws(FindingTest[] tests)
    {
        var keys = tests.SelectMany(t => t.Strata).SelectMany(s => s.Keys).Distinct().Select((key, i) => (key, i)).ToDictionary(k => k.key, k => k.i);
        (int[] Keys, double[] Weights)[][] strata = [.. tests.Select(t => t.Strata.Select(s =>
        {
            double factor = s.Values.Length > 1 ? 1 / Math.Sqrt(s.Values.Length - 1) : 0;
            return ((int[])[.. s.Keys.Select(k => keys[k])], (double[])[.. s.Values.Select(v => (v - s.Mean) * factor)]);
        }).ToArray())];
        var random = new RandomSource("analysis/finding-power", keys.Count);
        double[][][] errors = [.. tests.Select(_ => new double[DrawCount][])];
        double[] normal = new double[keys.Count];
        for (int b = 0; b < DrawCount; b++)
        {
            for (int i = 0; i < normal.Length; i++)
            {
                normal[i] = random.NextNormal();
            }

            for (int t = 0; t < tests.Length; t++)
            {
                errors[t][b] = [.. strata[t].Select(s => s.Keys.Zip(s.Weights, (k, w) => normal[k] * w).Sum())];
            }
        }

        return tests.Zip(errors).ToDictionary(t => t.First, t => t.Second);
    }

    // A question with its values turned so that it asks whether their mean is below a threshold.
    private sealed class Planned
    {
        // What one distinct value of a stratum is, and how many samples have it.
        private readonly (double Value, double Count)[][] _strata;
        private readonly double[][] _errors;
        private readonly double _sign;
        private readonly double _threshold;
        private readonly double _critical;

        public Planned(FindingQuestion question, double[][] errors, double critical)
        {
            _sign = question.IsAbove ? -1 : 1;
            _threshold = _sign * question.Threshold / question.Test.Scale;
            _strata = [.. question.Test.Strata.Select(s => s.Values.GroupBy(v => _sign * v).Select(g => (g.Key, (double)g.Count())).ToArray())];
            _errors = errors;
            _critical = critical;
        }

        /// <summary>Whether the means observed lie where it is asked: of equally many samples everywhere, as of very many.</summary>
        public bool IsTrue => _strata.Average(Mean) < _threshold;

        /// <summary>Counts it in every draw in which it is shown.</summary>
        public void Count(int samples, int[] shown)
        {
            double[] counts = [.. _strata.Select(s => Math.Max(s.Sum(v => v.Count), samples))];
            double total = counts.Sum();
            double expected = Score(_strata, counts);
            double slope = Slope(counts, total, expected);
            for (int b = 0; b < shown.Length; b++)
            {
                double error = 0;
                for (int s = 0; s < counts.Length; s++)
                {
                    error += _errors[b][s] * Math.Sqrt(counts[s]);
                }

                shown[b] += expected - (slope * _sign * error / total) > _critical ? 1 : 0;
            }
        }

        // How the normal score of the p value falls with the mean: from the composition observed to one whose mean is that of the worst fifth of draws.
        private double Slope(double[] counts, double total, double expected)
        {
            double error = Math.Sqrt(_strata.Zip(counts, (s, n) => n * Variance(s)).Sum()) / total;
            if (error == 0)
            {
                return 0;
            }

            double wanted = -SpecialFunctions.NormalQuantile(1 - Wanted) * error;
            double low = 0;
            double high = 1;
            while (Shift(high) < wanted && high < 1e4)
            {
                high *= 2;
            }

            for (int i = 0; i < 40; i++)
            {
                double middle = (low + high) / 2;
                (low, high) = Shift(middle) < wanted ? (middle, high) : (low, middle);
            }

            return (expected - Score(Tilted(high), counts)) / Shift(high);

            double Shift(double tilt) => Tilted(tilt).Zip(_strata, counts).Sum(s => s.Third * (Mean(s.First) - Mean(s.Second))) / total;

            (double Value, double Count)[][] Tilted(double tilt) => [.. _strata.Select(s =>
            {
                double largest = s.Max(v => v.Value);
                double[] weights = [.. s.Select(v => v.Count * Math.Exp(tilt * (v.Value - largest)))];
                double factor = s.Sum(v => v.Count) / weights.Sum();
                return s.Zip(weights, (v, w) => (v.Value, w * factor)).ToArray();
            })];
        }

        private double Score((double Value, double Count)[][] strata, double[] counts)
        {
            (double Value, double Count)[] all = [.. strata.Zip(counts).SelectMany(s => s.First.Select(v => (v.Value, v.Count * s.Second / s.First.Sum(f => f.Count))))];
            return -SpecialFunctions.NormalQuantile(Math.Clamp(BoundedMean.PValue(all, 1, _threshold), SmallestPValue, 1 - SmallestPValue));
        }

        private static double Mean((double Value, double Count)[] stratum) => stratum.Sum(v => v.Value * v.Count) / stratum.Sum(v => v.Count);

        private static double Variance((double Value, double Count)[] stratum)
        {
            double mean = Mean(stratum);
            return stratum.Sum(v => v.Count * (v.Value - mean) * (v.Value - mean)) / Math.Max(1, stratum.Sum(v => v.Count) - 1);
        }
    }
}
