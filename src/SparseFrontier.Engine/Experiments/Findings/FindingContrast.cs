using SparseFrontier.Analysis;

namespace SparseFrontier.Experiments.Findings;

/// <summary>
/// Differences of scores of the same samples over many cells. What several models, methods and sparsities say of one sample is its mean, so that a sample counts once;
/// samples of all cells are then put together, as those of several seeds are.
/// </summary>
internal sealed class FindingContrast
{
    private readonly SortedDictionary<(string Task, int Length, long Seed, string Questions, int Index), (double Sum, double Range, int Count)> _values = [];
    private readonly HashSet<(string Model, FindingCell Cell)> _cells = [];
    private readonly SortedSet<double> _sparsities = [];
    private readonly List<(FindingCurve Curve, double Sparsity)> _subjects = [];

    /// <summary>Cells that entered.</summary>
    public IReadOnlyCollection<(string Model, FindingCell Cell)> Cells => _cells;

    /// <summary>The curves whose gains over controls are asked for, with the sparsities at which they entered.</summary>
    public IReadOnlyList<(FindingCurve Curve, double Sparsity)> Subjects => _subjects;

    /// <summary>Whether nothing entered.</summary>
    public bool IsEmpty => _values.Count == 0;

    /// <summary>Adds first - second of each sample that both have.</summary>
    /// <param name="subject">The curve whose gains over controls are asked for.</param>
    /// <param name="sparsity">Sparsity.</param>
    /// <param name="first">Scores, losses or errors.</param>
    /// <param name="second">The same of what it is compared with.</param>
    /// <param name="range">The largest difference that is possible: 1 of scores, 2 of losses, which lie between -1 and 1 themselves, and what follows of errors in relation to something.</param>
    public void Add(FindingCurve subject, double sparsity, double[] first, double[] second, double range = 1)
    {
        bool any = false;
        for (int i = 0; i < Math.Min(first.Length, second.Length); i++)
        {
            if (double.IsNaN(first[i] - second[i]))
            {
                continue;
            }

            any = true;
            FindingCell cell = subject.Cell;
            var key = (cell.Task, cell.Length, cell.Seed, cell.Questions, i);
            (double sum, double ranges, int count) = _values.GetValueOrDefault(key);
            _values[key] = (sum + first[i] - second[i], ranges + range, count + 1);
        }

        if (any)
        {
            _cells.Add((subject.Model, subject.Cell));
            _sparsities.Add(Math.Round(sparsity, 2));
            _subjects.Add((subject, sparsity));
        }
    }

    /// <summary>The test of the mean difference: of values that lie within the largest range that a sample's mean can have.</summary>
    public FindingTest Test()
    {
        double scale = _values.Values.Max(v => v.Range / v.Count);
        return new([.. _values.Values.Select(v => v.Sum / v.Count / scale)], scale);
    }

    /// <summary>"2 models, 3 tasks, 1024 to 4096 tokens, sparsity 0.5 to 0.9".</summary>
    public string Describe()
    {
        string[] models = [.. _cells.Select(c => c.Model).Distinct().Order(StringComparer.Ordinal)];
        string[] tasks = [.. _cells.Select(c => c.Cell.Task).Distinct().Order(StringComparer.Ordinal)];
        int[] lengths = [.. _cells.Select(c => c.Cell.Length).Distinct().Order()];
        return FormattableString.Invariant(
            $"{string.Join(", ", models)}; {string.Join(", ", tasks)}; {string.Join(", ", lengths)} tokens; sparsity {_sparsities.Min:F2}{(_sparsities.Count > 1 ? FormattableString.Invariant($" to {_sparsities.Max:F2}") : "")}");
    }
}

/// <summary>What differences say of their mean.</summary>
/// <param name="values">Differences over their scale, from -1 to 1, one a sample.</param>
/// <param name="scale">The scale.</param>
internal sealed class FindingTest(double[] values, double scale)
{
    private readonly DifferenceTest _test = DifferenceTest.Paired(values);
    private readonly MeanInterval _interval = Statistics.Interval(values, -1, 1);

    /// <summary>The mean difference.</summary>
    public double Difference => _interval.Mean!.Value * scale;

    /// <summary>Lower end of its 95 % interval, as rows have it.</summary>
    public double Low => _interval.Low!.Value * scale;

    /// <summary>Upper end of its 95 % interval.</summary>
    public double High => _interval.High!.Value * scale;

    /// <summary>Samples.</summary>
    public int SampleCount => values.Length;

    /// <summary>P value of "the difference is at most the threshold".</summary>
    public double PValueAbove(double threshold) => _test.PValueAbove(threshold / scale);

    /// <summary>P value of "the difference is at least the threshold".</summary>
    public double PValueBelow(double threshold) => _test.PValueBelow(threshold / scale);

    /// <summary>Samples that would show on which side of a threshold the difference lies, if it is as observed.</summary>
    public int? SamplesNeeded(double threshold, double level) => _test.SamplesNeeded(threshold / scale, level);
}
