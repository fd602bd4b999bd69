using SparseFrontier.Analysis;
using SparseFrontier.Attention;

namespace SparseFrontier.Experiments;

/// <summary>One tested sparsity of a candidate: the samples of each task, seeds together.</summary>
/// <param name="Asked">The sparsity that was asked for.</param>
/// <param name="Tasks">By task.</param>
/// <param name="PValue">Of the claim that every task loses less than the margin: the largest of the tasks' own, which needs no correction.</param>
internal sealed record AdvisedLevel(double Asked, IReadOnlyList<ToleranceLevel> Tasks, double PValue)
{
    /// <summary>Whether the sparsity was asked for; otherwise parameters were given, such as a threshold, and it is what they came to.</summary>
    public bool IsAsked => Tasks.All(t => AdvisedMethod.IsAsked(t.Row));
}

/// <summary>A method at one model and length, with what is shown of it.</summary>
/// <param name="Series">Its series, one for each task and seed.</param>
/// <param name="Levels">From the lowest sparsity.</param>
/// <param name="TaskCount">Tasks asked for: a level with fewer can stand in the way, but not be recommended.</param>
internal sealed record AdvisedMethod(IReadOnlyList<ToleranceSeries> Series, IReadOnlyList<AdvisedLevel> Levels, int TaskCount)
{
    public SparseAttentionResult Row => Series[0].Levels[0].Row;

    public SparseAttentionResult Dense => Series[0].Dense;

    public string Phase => MethodRegistry.IsDense(Row.DecodeMethod) ? "Prefill" : MethodRegistry.IsDense(Row.Method) ? "Decode" : "Both";

    /// <summary>Parameters that are not the budget, nor the window of a task.</summary>
    public string Parameters => FixedParameters.AcrossTasks(Row);

    /// <summary>The methods, and where they are not the usual ones their parameters: a grid has several series of a method.</summary>
    public string Name => MethodNames.Of(Row) + (Parameters.Length > 0 ? $" ({Parameters.Replace(";", ", ", StringComparison.Ordinal)})" : "");

    /// <summary>Levels shown, from the lowest.</summary>
    public int Claimed { get; init; }

    /// <summary>The level of the test that the next one failed.</summary>
    public double Alpha { get; init; }

    /// <summary>The highest level that is shown for every task; null where none is.</summary>
    public AdvisedLevel? Best => Shown.LastOrDefault();

    /// <summary>The levels that are shown for every task, from the lowest.</summary>
    public IEnumerable<AdvisedLevel> Shown => Levels.Take(Claimed).Where(l => l.Tasks.Count == TaskCount);

    public AdvisedLevel? Next => Claimed < Levels.Count ? Levels[Claimed] : null;

    /// <summary>How many times as fast as dense, and of what; null where it was not measured.</summary>
    public (double Factor, string Of)? Speed { get; init; }

    /// <summary>Measured sparsity of the best level, the least of the tasks'.</summary>
    public double Sparsity => Best!.Tasks.Min(t => t.Sparsity);

    /// <summary>Whether two differ in nothing but the length and what is shown there.</summary>
    public bool IsSameAs(AdvisedMethod other) =>
        Row.Method == other.Row.Method && Row.DecodeMethod == other.Row.DecodeMethod && Parameters == other.Parameters && Series[0].DecodeSparsity == other.Series[0].DecodeSparsity;

    /// <summary>Sparsity of the best level as the prompt's cache has it, which a decode budget is solved for: generation goes on and lets a fixed budget leave out more.</summary>
    public double PromptSparsity => Best!.Tasks.Min(PromptSparsityOf);

    /// <summary>The same of one task of a level.</summary>
    public static double PromptSparsityOf(ToleranceLevel level) => MethodRegistry.IsDense(level.Row.Method) ? level.Row.CacheSparsity ?? level.Sparsity : level.Sparsity;

    /// <summary>The candidates of one model, length and protocol with what is shown of each; the chance of any false claim over all of them is at most 1 - confidence.</summary>
    public static IReadOnlyList<AdvisedMethod> Of(IEnumerable<ToleranceSeries> series, IReadOnlyCollection<string> tasks, Tolerance.Margin margin, double confidence)
    {
        AdvisedMethod[] methods =
        [
            .. series.GroupBy(s => (s.Levels[0].Row.Method, s.Levels[0].Row.DecodeMethod, Parameters: FixedParameters.AcrossTasks(s.Levels[0].Row), s.DecodeSparsity))
                .Select(g => new AdvisedMethod([.. g], LevelsOf(g, margin), tasks.Count)),
        ];

        // Runs of so few samples that nothing could be shown of them even without any loss take no part of the error from those of which something can: their number was known before their scores.
        AdvisedMethod[] tested = [.. methods.Where(m => m.Levels[0].Tasks.All(t => margin.PValue(t with { Scores = t.DenseScores }) < 1 - confidence))];
        if (tested.Length == 0)
        {
            tested = methods;
        }

        (int Claimed, double Level)[] found = MultipleTests.Sequences([.. tested.Select(m => m.Levels.Select(l => l.PValue).ToArray())], 1 - confidence);
        return [.. methods.Select(m => Array.IndexOf(tested, m) is >= 0 and var i ? m with { Claimed = found[i].Claimed, Alpha = found[i].Level } : m with { Alpha = (1 - confidence) / methods.Length })];
    }

    /// <summary>Whether a sparsity was asked of a row's sparse phase.</summary>
    public static bool IsAsked(SparseAttentionResult row) => (MethodRegistry.IsDense(row.Method) ? row.RequestedDecodeSparsity : row.RequestedSparsity) is not null;

    // What runs of one level have in common: a sparsity that was asked for, or the parameters.
    private static (double? Asked, string Parameters) LevelOf(SparseAttentionResult row) =>
        IsAsked(row) || (row.Parameters + row.DecodeParameters).Length == 0 ? (ClaimSide.SparsityOf(row), "") : (null, FixedParameters.AcrossTasks(row.Task, row.Method, row.Parameters) + row.DecodeParameters);

    private static AdvisedLevel[] LevelsOf(IEnumerable<ToleranceSeries> series, Tolerance.Margin margin) =>
    [
        .. series.SelectMany(s => s.Levels.Select(l => (s.Dense.Task, Level: l)))
            .GroupBy(l => LevelOf(l.Level.Row))
            .Select(g => (Asked: g.Min(l => ClaimSide.SparsityOf(l.Level.Row) ?? 0), Runs: g))
            .OrderBy(g => g.Asked).ThenBy(g => g.Runs.Key.Parameters, StringComparer.Ordinal)
            .Select(g =>
            {
                ToleranceLevel[] tasks = [.. g.Runs.GroupBy(l => l.Task).Select(t => new ToleranceLevel(
                    t.First().Level.Row,
                    t.Average(l => l.Level.Sparsity),
                    [.. t.SelectMany(l => l.Level.DenseScores)],
                    [.. t.SelectMany(l => l.Level.Scores)]))];
                return new AdvisedLevel(g.Asked, tasks, tasks.Max(margin.PValue));
            }),
    ];
}
