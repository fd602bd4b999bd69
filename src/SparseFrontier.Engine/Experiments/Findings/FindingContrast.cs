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
    private (int Low, int High) _runs = (int.MaxValue, 0);

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
        int added = 0;
        for (int i = 0; i < Math.Min(first.Length, second.Length); i++)
        {
            if (double.IsNaN(first[i] - second[i]))
            {
                continue;
            }

            added++;
            FindingCell cell = subject.Cell;
            var key = (cell.Task, cell.Length, cell.Seed, cell.Questions, i);
            (double sum, double ranges, int count) = _values.GetValueOrDefault(key);
            _values[key] = (sum + first[i] - second[i], ranges + range, count + 1);
        }

        if (added > 0)
        {
            _runs = (Math.Min(_runs.Low, added), Math.Max(_runs.High, added));
            _cells.Add((subject.Model, subject.Cell));
            _sparsities.Add(Math.Round(sparsity, 2));
            _subjects.Add((subject, sparsity));
        }
    }

    /// <summary>The test of the mean difference: of values that lie within the largest range that a sample's mean can have.</summary>
    public FindingTest Test()
    {
        double scale = _values.Values.Max(v => v.Range / v.Count);
        return new([.. _values.Values.Select(v => v.Sum / v.Count / scale)], scale, [.. _values.Keys], _runs.Low, _runs.High);
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
/// <param name="keys">Which sample each is of; null: of one task at one length.</param>
/// <param name="fewest">The fewest samples that a run brought; null: all.</param>
/// <param name="most">The most.</param>
internal sealed class FindingTest(double[] values, double scale, (string Task, int Length, long Seed, string Questions, int Index)[]? keys = null, int? fewest = null, int? most = null)
{
    private readonly DifferenceTest _test = DifferenceTest.Paired(values);
    private readonly MeanInterval _interval = Statistics.Interval(values, -1, 1);

    /// <summary>The mean difference.</summary>
    public double Difference => _interval.Mean!.Value * scale;

    /// <summary>Lower end of its 95 % interval, as rows have it.</summary>
    public double Low => _interval.Low!.Value * scale;

    /// <summary>Upper end of its 95 % interval.</summary>
    public double High => _interval.High!.Value * scale;

    /// <summary>The scale.</summary>
    public double Scale => scale;

    /// <summary>Samples.</summary>
    public int SampleCount => values.Length;

    /// <summary>The fewest samples that a run brought.</summary>
    public int RunSampleCountLow => fewest ?? values.Length;

    /// <summary>The most samples that a run brought.</summary>
    public int RunSampleCountHigh => most ?? values.Length;

    /// <summary>The differences over their scale by what was asked alike: each run of it has a sample of each.</summary>
    public IReadOnlyList<FindingStratum> Strata { get; } = [.. values.Select((value, i) => (Value: value, Key: keys?[i] ?? ("", 0, 0, "", i)))
        .GroupBy(v => (v.Key.Task, v.Key.Length, v.Key.Seed, v.Key.Questions), (_, group) => group.ToArray()).Select(g => new FindingStratum([.. g.Select(v => v.Value)], [.. g.Select(v => v.Key)]))];

    /// <summary>P value of "the difference is at most the threshold".</summary>
    public double PValueAbove(double threshold) => _test.PValueAbove(threshold / scale);

    /// <summary>P value of "the difference is at least the threshold".</summary>
    public double PValueBelow(double threshold) => _test.PValueBelow(threshold / scale);
}

/// <summary>Differences of one task at one length.</summary>
/// <param name="Values">Differences over their scale.</param>
/// <param name="Keys">The samples that they are of.</param>
internal sealed record FindingStratum(double[] Values, (string Task, int Length, long Seed, string Questions, int Index)[] Keys)
{
    /// <summary>Their mean.</summary>
    public double Mean { get; } = Values.Average();
}
