using System.Globalization;
using System.Reflection;
using SparseFrontier.Attention;

namespace SparseFrontier.Analysis;

/// <summary>
/// The frontier of cost and value: which rows no other row of their group beats in one without losing in the other. Rows that do not show
/// what a method does are left out: not completed, infeasible, or with samples that fell back to dense.
/// </summary>
public static class Pareto
{
    // What a density is: the share attended of what dense attention would attend.
    private static readonly Dictionary<string, Func<SparseAttentionResult, double?>> s_densities = new(StringComparer.OrdinalIgnoreCase)
    {
        ["Density"] = Density,
        ["PrefillDensity"] = row => 1 - RowSparsity.Prefill(row),
        ["DecodeDensity"] = row => 1 - RowSparsity.Decode(row),
    };

    /// <summary>Names of columns of rows that can be a cost or a value.</summary>
    public static IReadOnlyList<string> Columns { get; } =
    [
        .. s_densities.Keys,
        .. typeof(SparseAttentionResult).GetProperties().Where(p => IsNumeric(p.PropertyType) && p.Name != nameof(SparseAttentionResult.SchemaVersion)).Select(p => p.Name),
    ];

    /// <summary>Whether a row takes part: completed, with samples, none of which fell back to dense.</summary>
    public static bool Includes(SparseAttentionResult row) => row.Status == RunStatus.Completed && row.FallbackCount == 0;

    /// <summary>How many rows do not take part, and why: "3 of 10 rows are left out: 1 infeasible, 2 with samples that ran dense."; null where all do.</summary>
    public static string? LeftOut(IReadOnlyCollection<SparseAttentionResult> rows)
    {
        (int Count, string Why)[] reasons =
        [
            (rows.Count(r => r.Status == RunStatus.Infeasible), "infeasible"),
            (rows.Count(r => r.Status is not (RunStatus.Infeasible or RunStatus.Completed)), "not completed"),
            (rows.Count(r => r.Status == RunStatus.Completed && r.FallbackCount > 0), "with samples that ran dense"),
        ];
        return reasons.All(r => r.Count == 0)
            ? null
            : FormattableString.Invariant($"{reasons.Sum(r => r.Count)} of {Counted.Of(rows.Count, "row")} {(reasons.Sum(r => r.Count) == 1 ? "is" : "are")} left out: {string.Join(", ", reasons.Where(r => r.Count > 0).Select(r => FormattableString.Invariant($"{r.Count} {r.Why}")))}.");
    }

    /// <summary>
    /// Computes the points of all rows that take part and have the columns, group by group in the order of first appearance, cheapest first.
    /// Within a group, rows of different protocols (task parameters, question position and so on) have frontiers of their own.
    /// </summary>
    /// <param name="rows">Rows.</param>
    /// <param name="cost">A column; less is better.</param>
    /// <param name="value">A column; more is better.</param>
    /// <param name="groupBy">Columns whose values divide the rows into groups.</param>
    /// <param name="computedCost">What the cost is where it is none of the rows' columns, such as <see cref="RequestCost"/>.</param>
    /// <param name="computedValue">What the value is where it is not the column itself, such as its mean over tasks.</param>
    /// <param name="resample">
    /// Resampled values of the rows of a group, [resamples][rows], for bands; null where they cannot be had. Only asked for where the value is the score.
    /// </param>
    /// <exception cref="SparseFrontierException">ParameterInvalid: an unknown column, or a density as the cost of several models in one group.</exception>
    public static IReadOnlyList<SparsityPoint> Points(
        IEnumerable<SparseAttentionResult> rows,
        string cost,
        string value,
        IReadOnlyList<string> groupBy,
        Func<SparseAttentionResult, double?>? computedCost = null,
        Func<SparseAttentionResult, double?>? computedValue = null,
        Func<IReadOnlyList<SparseAttentionResult>, double[][]?>? resample = null)
    {
        Func<SparseAttentionResult, double?> costOf = computedCost ?? Column(cost);
        Func<SparseAttentionResult, double?> valueOf = computedValue ?? Column(value);
        PropertyInfo[] keys = [.. groupBy.Select(Property)];
        var points = new List<SparsityPoint>();
        foreach (var group in rows.Where(Includes)
            .Select(row => (Row: row, Cost: costOf(row), Value: valueOf(row)))
            .Where(p => p.Cost is not null && p.Value is not null)
            .GroupBy(p => string.Join('\u001f', keys.Select(k => Protocol.Text(k, p.Row)).Append(Protocol.Key(p.Row)))))
        {
            if (s_densities.ContainsKey(cost) && group.DistinctBy(p => p.Row.Model).Count() > 1)
            {
                throw new SparseFrontierException(
                    ErrorIds.ParameterInvalid,
                    $"{cost} does not compare models: the same density costs a large model more ({string.Join(", ", group.Select(p => p.Row.Model).Distinct())} are in one group). "
                    + "Take PrefillFlops, DecodeBytes, MemoryReads or PrefillSeconds as the cost, or DecodeSeconds of runs that stepped alone (SequencesPerStep 1), or group by Model too.",
                    cost);
            }

            (SparseAttentionResult Row, double Cost, double Value)[] ordered =
            [
                .. group.OrderBy(p => p.Cost).ThenByDescending(p => p.Value)
                    .ThenBy(p => p.Row.Method, StringComparer.Ordinal).ThenBy(p => p.Row.DecodeMethod, StringComparer.Ordinal).ThenBy(p => p.Row.RunId, StringComparer.Ordinal)
                    .Select(p => (p.Row, p.Cost!.Value, p.Value!.Value)),
            ];
            int first = points.Count;
            AddGroup(points, ordered, CostName(cost), ValueName(value));
            AddUncertainty(points, first, ordered, value.Equals(nameof(SparseAttentionResult.Score), StringComparison.OrdinalIgnoreCase) ? resample : null);
        }

        return points;
    }

    /// <summary>The density of the sparse phase, or the mean of the two where both are sparse; 1 for dense runs.</summary>
    private static double? Density(SparseAttentionResult row)
    {
        bool prefill = !MethodRegistry.IsDense(row.Method);
        bool decode = !MethodRegistry.IsDense(row.DecodeMethod);
        return (prefill, decode) switch
        {
            (true, true) => 1 - ((RowSparsity.Prefill(row) + RowSparsity.Decode(row)) / 2),
            (true, false) => 1 - RowSparsity.Prefill(row),
            (false, true) => 1 - RowSparsity.Decode(row),
            _ => 1,
        };
    }

    private static void AddGroup(List<SparsityPoint> points, (SparseAttentionResult Row, double Cost, double Value)[] ordered, string cost, string value)
    {
        // In order of cost, a point is optimal if nothing cheaper, and nothing equally cheap, is worth as much or more.
        var optimal = new List<(SparseAttentionResult Row, double Cost, double Value)>();
        foreach ((SparseAttentionResult Row, double Cost, double Value) point in ordered)
        {
            (SparseAttentionResult Row, double Cost, double Value)? better = null;
            foreach ((SparseAttentionResult Row, double Cost, double Value) other in optimal)
            {
                if (other.Value >= point.Value && (other.Value > point.Value || other.Cost < point.Cost))
                {
                    better = other;
                    break;
                }
            }

            if (better is null)
            {
                optimal.Add(point);
            }

            points.Add(Point(point, better?.Row, cost, value));
        }
    }

    // Bands of a group that was just added, and its name.
    private static void AddUncertainty(
        List<SparsityPoint> points,
        int first,
        (SparseAttentionResult Row, double Cost, double Value)[] ordered,
        Func<IReadOnlyList<SparseAttentionResult>, double[][]?>? resample)
    {
        double[] costs = [.. ordered.Select(p => p.Cost)];
        double? volume = FrontierBands.HypervolumeOf(costs, [.. ordered.Select(p => p.Value)]);
        double[][]? resampled = ordered.Length > 0 ? resample?.Invoke([.. ordered.Select(p => p.Row)]) : null;
        FrontierBands? bands = resampled is null ? null : FrontierBands.Of(costs, resampled);
        string[] models = [.. ordered.Select(p => p.Row.Model).Distinct()];
        string frontier = string.Join(", ", (string[])
        [
            string.Join(", ", ordered.Select(p => FormattableString.Invariant($"{p.Row.Task} at {p.Row.SequenceLength} tokens")).Distinct().Take(3)),
            string.Join(", ", models.Take(3)) + (models.Length > 3 ? ", ..." : ""),
        ]);
        for (int i = 0; i < ordered.Length; i++)
        {
            points[first + i] = points[first + i] with
            {
                Frontier = frontier,
                ModelCount = models.Length,
                FrontierLow = bands?.Low[i],
                FrontierHigh = bands?.High[i],
                OptimalShare = bands?.OptimalShare[i],
                Hypervolume = volume,
                HypervolumeLow = bands?.Hypervolume?.Low,
                HypervolumeHigh = bands?.Hypervolume?.High,
            };
        }
    }

    private static string CostName(string cost) =>
        RequestCost.Names.Concat(Columns).First(c => c.Equals(cost, StringComparison.OrdinalIgnoreCase));

    private static string ValueName(string value) => Columns.First(c => c.Equals(value, StringComparison.OrdinalIgnoreCase));

    private static SparsityPoint Point((SparseAttentionResult Row, double Cost, double Value) point, SparseAttentionResult? better, string cost, string value)
    {
        bool isScore = value.Equals(nameof(SparseAttentionResult.Score), StringComparison.OrdinalIgnoreCase);
        double chance = ChanceFloor.Of(point.Row);
        return new SparsityPoint
        {
            Task = point.Row.Task,
            Model = point.Row.Model,
            SequenceLength = point.Row.SequenceLength,
            Method = point.Row.Method,
            DecodeMethod = point.Row.DecodeMethod,
            PrefillSparsity = RowSparsity.Prefill(point.Row),
            DecodeSparsity = RowSparsity.Decode(point.Row),
            Protocol = Protocol.Describe(point.Row),
            Chance = chance,
            CostName = cost,
            Cost = point.Cost,
            ValueName = value,
            Value = point.Value,
            ValueLow = isScore ? point.Row.ScoreLow : null,
            ValueHigh = isScore ? point.Row.ScoreHigh : null,
            IsOptimal = better is null,
            IsAboveChance = isScore ? point.Value > chance + ChanceFloor.Clear : null,
            DominatedBy = better is null ? null : Name(better),
            RunId = point.Row.RunId,
        };
    }

    private static string Name(SparseAttentionResult row) => string.Create(
        CultureInfo.InvariantCulture,
        $"{row.Method}+{row.DecodeMethod} {RowSparsity.Prefill(row):F2}/{RowSparsity.Decode(row):F2}{(row.RunId.Length > 0 ? $" [{row.RunId}]" : "")}");

    /// <summary>Reads a column of rows by its name, in any case.</summary>
    /// <exception cref="SparseFrontierException">ParameterInvalid.</exception>
    internal static Func<SparseAttentionResult, double?> Column(string name)
    {
        if (s_densities.TryGetValue(name, out Func<SparseAttentionResult, double?>? density))
        {
            return density;
        }

        PropertyInfo? property = Find(name);
        return property is not null && IsNumeric(property.PropertyType)
            ? row => property.GetValue(row) is { } number ? Convert.ToDouble(number, CultureInfo.InvariantCulture) : null
            : throw Unknown(name);
    }

    /// <summary>The column of rows that a name means, in any case.</summary>
    /// <exception cref="SparseFrontierException">ParameterInvalid.</exception>
    internal static PropertyInfo Property(string name) => Find(name) ?? throw new SparseFrontierException(
        ErrorIds.ParameterInvalid, $"There is no column '{name}'. {NameMatcher.Suggestion(name, [.. typeof(SparseAttentionResult).GetProperties().Select(p => p.Name)])}", name);

    private static PropertyInfo? Find(string name) => typeof(SparseAttentionResult).GetProperties().FirstOrDefault(p => p.Name.Equals(name, StringComparison.OrdinalIgnoreCase));

    private static SparseFrontierException Unknown(string name) => new(
        ErrorIds.ParameterInvalid, $"There is no column '{name}' to compute with. {NameMatcher.Suggestion(name, [.. RequestCost.Names, .. Columns])}", name);

    private static bool IsNumeric(Type type)
    {
        Type inner = Nullable.GetUnderlyingType(type) ?? type;
        return inner == typeof(int) || inner == typeof(long) || inner == typeof(double);
    }
}
