using SparseFrontier.Analysis;

namespace SparseFrontier.Experiments.Operations;

/// <summary>Emits the error of each method over lengths or model sizes as <see cref="SparsityEffect"/>.</summary>
public sealed class MeasureEffectOperation
{
    // A grid value this near to a measured sparsity counts as measured.
    private const double Near = 0.011;

    private readonly PairedScores _scores = new();
    private readonly HashSet<string> _told = [];

    /// <summary>The rows, dense ones among them.</summary>
    public required IReadOnlyList<SparseAttentionResult> Results { get; init; }

    /// <summary>What the error is looked at against.</summary>
    public EffectAxis By { get; init; }

    /// <summary>Sparsities of the curves. Empty: those that were run, to two decimals.</summary>
    public IReadOnlyList<double> Sparsity { get; init; } = [];

    /// <summary>The relative error that the needed budget is for, above 0 and below 1.</summary>
    public double TargetError { get; init; } = 0.1;

    /// <summary>Emits the curves; a method that was run at one length or size only, or without dense runs, is warned of.</summary>
    /// <exception cref="SparseFrontierException">ParameterInvalid, SparsityOutOfRange. DataInsufficient: there is no curve.</exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        if (TargetError is not (> 0 and < 1))
        {
            throw new SparseFrontierException(ErrorIds.ParameterInvalid, FormattableString.Invariant($"A relative error of {TargetError} is not above 0 and below 1."), TargetError);
        }

        if (Sparsity.FirstOrDefault(s => s is not (> 0 and < 1), 0.5) is var wrong and not 0.5)
        {
            throw new SparseFrontierException(ErrorIds.SparsityOutOfRange, FormattableString.Invariant($"A sparsity of {wrong} is not above 0 and below 1."), wrong);
        }

        SparseAttentionResult[] rows = [.. Results.Where(r => Pareto.Includes(r) && r.Score is not null)];
        if (RowSparsity.Warning(rows) is { } nominal)
        {
            sink.Warning(nominal);
        }

        ILookup<string, SparseAttentionResult> dense = rows.Where(ToleranceSeriesBuilder.IsDense).ToLookup(r => DenseKey(r, r.Task));
        bool any = false;
        Func<SparseAttentionResult, string> protocol = Protocol.AcrossTasks(rows);
        foreach (var series in rows.Where(r => !ToleranceSeriesBuilder.IsDense(r))
            .GroupBy(r => (r.Method, r.DecodeMethod, Parameters: FixedParameters.AcrossTasks(r), Decode: ToleranceSeriesBuilder.FixedDecodeSparsity(r), Protocol: protocol(r), Fixed: By == EffectAxis.Length ? r.Model : Text(r.SequenceLength))))
        {
            cancellationToken.ThrowIfCancellationRequested();
            List<SparsityEffect> effects = Curves([.. series], dense, sink);
            any |= effects.Count > 0;
            foreach (SparsityEffect effect in effects)
            {
                sink.Object(effect);
            }
        }

        if (!any)
        {
            throw new SparseFrontierException(
                ErrorIds.DataInsufficient,
                $"There is no curve to draw: a method must have been run at two {(By == EffectAxis.Length ? "lengths with one model" : "model sizes at one length")} at least, on the same tasks and seeds, with dense runs beside it that are clearly above chance.");
        }
    }

    // Clearly above chance by a one-sided test at 5 %: an error over a dense score that is not is a ratio of noise.
    private bool IsLossVisible(SparseAttentionResult dense) => _scores.FloorPValue([dense], ChanceFloor.Of(dense) + ChanceFloor.Clear) < 0.05;

    private List<SparsityEffect> Curves(SparseAttentionResult[] sparse, ILookup<string, SparseAttentionResult> dense, IPipelineSink sink)
    {
        var levels = sparse.GroupBy(r => By == EffectAxis.Length ? Text(r.SequenceLength) : r.Model)
            .Select(level => level.GroupBy(r => (r.Task, r.Seed))
                .Where(cell => dense[DenseKey(cell.First(), cell.Key.Task)].Any())
                .ToDictionary(
                    cell => cell.Key,
                    cell => new Curve(dense[DenseKey(cell.First(), cell.Key.Task)].MaxBy(d => d.SampleCount)!, [.. cell.Where(r => SparsityOf(r) is not null).OrderBy(SparsityOf)])))
            .Where(level => level.Count > 0)
            .ToList();
        (string Task, long Seed)[] common = levels.Count < 2 ? [] : [.. levels.Select(l => l.Keys.AsEnumerable()).Aggregate((a, b) => a.Intersect(b)).OrderBy(c => c.Task, StringComparer.Ordinal).ThenBy(c => c.Seed)];
        SparseAttentionResult[] blind = [.. levels.SelectMany(l => common.Select(c => l[c].Dense)).Where(d => !IsLossVisible(d))];
        common = [.. common.Where(c => !blind.Any(d => d.Task == c.Task))];
        foreach (SparseAttentionResult floor in blind)
        {
            string text = FormattableString.Invariant(
                $"{floor.Task} is left out at every {(By == EffectAxis.Length ? "length" : "size")}: {ChanceFloor.Describe(floor.Score!.Value, ChanceFloor.Clear, ChanceFloor.Of(floor))} with {floor.Model} at {floor.SequenceLength} tokens.");
            if (_told.Add(text))
            {
                sink.Warning(text);
            }
        }

        if (common.Length == 0)
        {
            sink.Warning($"{MethodNames.Of(sparse[0])} is left out: it was not run at two {(By == EffectAxis.Length ? "lengths" : "model sizes")} on the same tasks with dense runs beside it that are clearly above chance.");
            return [];
        }

        double[] grid = [.. (Sparsity.Count > 0 ? Sparsity : [.. sparse.Select(r => Math.Round(ClaimSide.SparsityOf(r) ?? 0, 2)).Where(s => s > 0)]).Distinct().Order()];
        var shapes = new ModelSizes();
        var effects = new List<SparsityEffect>();
        foreach (Curve[] cells in levels.Select(l => common.Select(c => l[c]).ToArray()).OrderBy(c => By == EffectAxis.Length ? c[0].Dense.SequenceLength : shapes.Of(c[0].Dense) ?? 0))
        {
            effects.AddRange(Level(cells, grid, shapes.Of(cells[0].Dense), sink));
        }

        return WithExponent(effects);
    }

    private IEnumerable<SparsityEffect> Level(Curve[] cells, double[] grid, double? size, IPipelineSink sink)
    {
        SparseAttentionResult first = cells[0].Sparse.FirstOrDefault() ?? cells[0].Dense;
        SparseAttentionResult[] all = [.. cells.SelectMany(c => c.Sparse.Prepend(c.Dense))];
        double[] scores = [.. all.Select(r => r.Score!.Value)];
        double[][]? resampled = ResampledScores.Of(all, sink.Verbose);
        double[] reached = [.. grid.Where(s => cells.All(c => c.Reaches(s)))];
        double?[] errors = [.. reached.Select(s => Error(cells, scores, s))];
        double? needed = NeededDensity(reached, errors);
        foreach (double sparsity in reached)
        {
            double denseScore = Mean(cells, scores, 0);
            double score = Mean(cells, scores, sparsity);
            double[]? draws = resampled is null ? null : [.. resampled.Select(r => Error(cells, r, sparsity)).OfType<double>()];
            (double Low, double High)? interval = draws is { Length: > 0 } && draws.Length == resampled!.Length ? PairedBootstrap.Interval(draws) : null;
            yield return new SparsityEffect
            {
                By = By,
                Model = first.Model,
                ParameterCount = size,
                SequenceLength = first.SequenceLength,
                Protocol = Protocol.Describe(all),
                Method = first.Method,
                DecodeMethod = first.DecodeMethod,
                Parameters = FixedParameters.AcrossTasks(first),
                TaskCount = cells.Select(c => c.Dense.Task).Distinct().Count(),
                Sparsity = sparsity,
                Budget = (1 - sparsity) * first.SequenceLength,
                IsInterpolated = !cells.All(c => c.Measures(sparsity)),
                DenseScore = denseScore,
                Score = score,
                AbsoluteError = denseScore - score,
                RelativeError = denseScore > 0 ? (denseScore - score) / denseScore : null,
                RelativeErrorLow = interval?.Low,
                RelativeErrorHigh = interval?.High,
                TargetError = TargetError,
                NeededDensity = needed,
                NeededTokens = needed * first.SequenceLength,
            };
        }
    }

    // From dense attention on, the first sparsity at which the interpolated error exceeds the target.
    private double? NeededDensity(double[] grid, double?[] errors)
    {
        double before = 0;
        double errorBefore = 0;
        for (int i = 0; i < grid.Length; i++)
        {
            if (errors[i] is not { } error)
            {
                return null;
            }

            if (error > TargetError)
            {
                double share = error > errorBefore ? (TargetError - errorBefore) / (error - errorBefore) : 0;
                return 1 - (before + (Math.Clamp(share, 0, 1) * (grid[i] - before)));
            }

            (before, errorBefore) = (grid[i], error);
        }

        return null;
    }

    private List<SparsityEffect> WithExponent(List<SparsityEffect> effects)
    {
        SparsityEffect[] needed = [.. effects.Where(e => e.NeededTokens > 0).DistinctBy(e => e.SequenceLength)];
        if (By != EffectAxis.Length || needed.Length < 2)
        {
            return effects;
        }

        var fit = LineFit.Of([.. needed.Select(e => Math.Log(e.SequenceLength))], [.. needed.Select(e => Math.Log(e.NeededTokens!.Value))]);
        return [.. effects.Select(e => e with { Exponent = fit.Slope, ExponentLow = fit.SlopeLow, ExponentHigh = fit.SlopeHigh })];
    }

    private static double? Error(Curve[] cells, double[] scores, double sparsity)
    {
        double dense = Mean(cells, scores, 0);
        return dense > 0 ? (dense - Mean(cells, scores, sparsity)) / dense : null;
    }

    // Scores lie cell by cell, dense first.
    private static double Mean(Curve[] cells, double[] scores, double sparsity)
    {
        double sum = 0;
        int start = 0;
        foreach (Curve cell in cells)
        {
            sum += cell.At(sparsity, scores.AsSpan(start, cell.Sparse.Length + 1));
            start += cell.Sparse.Length + 1;
        }

        return sum / cells.Length;
    }

    private static double? SparsityOf(SparseAttentionResult row) => Attention.MethodRegistry.IsDense(row.Method) ? RowSparsity.Decode(row) : RowSparsity.Prefill(row);

    private static string DenseKey(SparseAttentionResult row, string task) => string.Join('\u001f', row.Model, Text(row.SequenceLength), task, row.Seed.ToString(System.Globalization.CultureInfo.InvariantCulture), Protocol.Key(row));

    private static string Text(int value) => value.ToString(System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>The measured points of one task and seed, by rising sparsity; dense attention is the point at 0.</summary>
    private sealed record Curve(SparseAttentionResult Dense, SparseAttentionResult[] Sparse)
    {
        public bool Reaches(double sparsity) => Sparse.Length > 0 && sparsity <= SparsityOf(Sparse[^1]) + Near;

        public bool Measures(double sparsity) => Sparse.Any(r => Math.Abs(SparsityOf(r)!.Value - sparsity) <= Near);

        /// <summary>The score at a sparsity: as measured, or linear between the measured ones, as the paper does.</summary>
        public double At(double sparsity, ReadOnlySpan<double> scores)
        {
            double before = 0;
            for (int i = 0; i < Sparse.Length; i++)
            {
                double here = SparsityOf(Sparse[i])!.Value;
                if (sparsity > 0 && Math.Abs(here - sparsity) <= Near)
                {
                    return scores[i + 1];
                }

                if (sparsity <= here)
                {
                    return here > before ? scores[i] + ((sparsity - before) / (here - before) * (scores[i + 1] - scores[i])) : scores[i];
                }

                before = here;
            }

            return scores[Sparse.Length];
        }
    }
}
