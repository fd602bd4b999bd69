using System.Globalization;
using SparseFrontier.Analysis;

namespace SparseFrontier.Experiments.Operations;

/// <summary>Fits scaling laws to each method in two forms, whole and with the largest value of each axis held out, and emits them as <see cref="SparsityScaling"/>.</summary>
public sealed class MeasureScalingOperation
{
    /// <summary>The rows, dense ones among them: they are the points of compression 1.</summary>
    public required IReadOnlyList<SparseAttentionResult> Results { get; init; }

    /// <summary>Emits the fits; what cannot be held out or fitted is warned of.</summary>
    /// <exception cref="SparseFrontierException">DataInsufficient: no method has enough points, and how many it would need.</exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        SparseAttentionResult[] rows = [.. Results.Where(r => Pareto.Includes(r) && r.Score is not null)];
        if (RowSparsity.Warning(rows) is { } nominal)
        {
            sink.Warning(nominal);
        }

        SparseAttentionResult[] single = [.. rows.Where(r => ToleranceSeriesBuilder.FixedDecodeSparsity(r) is null)];
        if (single.Length < rows.Length)
        {
            sink.Warning($"{Counted.Of(rows.Length - single.Length, "row is", "rows are")} left out: both phases are sparse, and the law has one compression.");
        }

        var reasons = new List<string>();
        bool any = false;
        SparseAttentionResult[] dense = [.. single.Where(ToleranceSeriesBuilder.IsDense)];
        Func<SparseAttentionResult, string> protocol = Protocol.AcrossTasks(single);
        foreach (var method in single.Where(r => !ToleranceSeriesBuilder.IsDense(r)).GroupBy(r => (r.Method, r.DecodeMethod, Parameters: FixedParameters.AcrossTasks(r), Protocol: protocol(r))))
        {
            SparseAttentionResult[] sparse = [.. method];
            var cells = sparse.Select(CellOf).ToHashSet();
            SparseAttentionResult[] beside = [.. dense.Where(d => protocol(d) == method.Key.Protocol && cells.Contains(CellOf(d))).GroupBy(d => (CellOf(d), d.Seed)).Select(d => d.MaxBy(r => r.SampleCount)!)];
            string name = MethodNames.Of(sparse[0]);
            if (Points([.. beside, .. sparse], name, sink) is not { } points)
            {
                continue;
            }

            if (Shortage(points) is { } reason)
            {
                reasons.Add($"{name}: {reason}");
                continue;
            }

            var identity = new SparsityScaling { Method = sparse[0].Method, DecodeMethod = sparse[0].DecodeMethod, Parameters = method.Key.Parameters, Protocol = Protocol.Describe(sparse) };
            foreach (SparsityScaling row in Fits(points, identity, name, sink, cancellationToken))
            {
                any = true;
                sink.Object(row);
            }
        }

        if (!any)
        {
            throw new SparseFrontierException(
                ErrorIds.DataInsufficient,
                reasons.Count > 0 ? string.Join(' ', reasons) : "There is nothing to fit: give completed rows of a sparse method at several sparsities, and of several lengths or models.");
        }

        foreach (string reason in reasons)
        {
            sink.Warning($"{reason} It is left out.");
        }
    }

    private static IEnumerable<SparsityScaling> Fits(List<Placed> points, SparsityScaling identity, string name, IPipelineSink sink, CancellationToken cancellationToken)
    {
        foreach (ScalingHoldOut axis in Enum.GetValues<ScalingHoldOut>())
        {
            cancellationToken.ThrowIfCancellationRequested();
            Placed[] seen = [.. points];
            Placed[] tested = seen;
            double? value = null;
            if (axis != ScalingHoldOut.None)
            {
                double[] values = [.. points.Select(p => p.On(axis)).Distinct().Order()];
                if (values.Length < 3)
                {
                    sink.Verbose($"{name}: nothing is predicted along {axis}, which needs three values at least, two of them to fit.");
                    continue;
                }

                value = values[^1];
                seen = [.. points.Where(p => p.On(axis) < value)];
                tested = [.. points.Where(p => p.On(axis) == value)];
                if (Shortage(seen) is { } reason)
                {
                    sink.Warning($"{name}: nothing is predicted along {axis}. Without its largest value: {reason}");
                    continue;
                }
            }

            ScalingPoint[] training = [.. seen.Select(p => p.Point)];
            var fits = Enum.GetValues<ScalingForm>().Select(form => (Form: form, Fit: ScalingFit.Of(form, training))).ToList();
            foreach (var failed in fits.Where(f => f.Fit is null))
            {
                sink.Warning($"{name}: the {failed.Form} form has no finite fit{(axis == ScalingHoldOut.None ? "" : $" without the largest {axis}")}: tasks, sizes, lengths and compressions cannot be told apart, or scores of 0 and of 1 divide exactly.");
            }

            var outcomes = fits.Where(f => f.Fit is not null).Select(f => (Fit: f.Fit!, Outcome: new Outcome(f.Fit!, [.. tested.Select(p => p.Point)]))).ToList();
            foreach (var (fit, outcome) in outcomes)
            {
                double? other = outcomes.Where(o => o.Fit.Form != fit.Form).Select(o => o.Outcome.Error).FirstOrDefault();
                foreach (SparsityScaling row in Rows(fit, outcome, training, identity with { HeldOut = axis, HeldOutValue = value }))
                {
                    yield return row with { PredictsBetter = other is null ? null : outcome.Error < other };
                }
            }
        }
    }

    private static IEnumerable<SparsityScaling> Rows(ScalingFit fit, Outcome outcome, ScalingPoint[] training, SparsityScaling identity)
    {
        var half = ScalingFit.HalfWidths(fit.Form, training, fit);
        int cells = training.Select(p => p.Cell).Distinct().Count();
        double? determination = new Outcome(fit, training).Determination;
        foreach (string task in fit.Offsets.Keys.Order(StringComparer.Ordinal))
        {
            double? offset = double.IsFinite(fit.Offsets[task]) ? fit.Offsets[task] : null;
            (double Predicted, double Score)[] pairs = outcome.Of(task);
            RankCorrelation? rank = RankCorrelation.Of([.. pairs.Select(p => p.Predicted)], [.. pairs.Select(p => p.Score)]);
            yield return identity with
            {
                Form = fit.Form,
                PointCount = training.Length,
                CellCount = cells,
                Determination = determination,
                Intercept = fit.Intercept,
                InterceptLow = fit.Intercept - half.Intercept,
                InterceptHigh = fit.Intercept + half.Intercept,
                SizeSlope = fit.Size,
                SizeSlopeLow = fit.Size - half.Size,
                SizeSlopeHigh = fit.Size + half.Size,
                LengthSlope = fit.Length,
                LengthSlopeLow = fit.Length - half.Length,
                LengthSlopeHigh = fit.Length + half.Length,
                CompressionSlope = fit.Compression,
                CompressionSlopeLow = fit.Compression - half.Compression,
                CompressionSlopeHigh = fit.Compression + half.Compression,
                ReferenceTask = fit.ReferenceTask,
                Task = task,
                Offset = offset,
                OffsetLow = offset - half.Offsets[task],
                OffsetHigh = offset + half.Offsets[task],
                IsSaturated = offset is null,
                PredictedCount = pairs.Length,
                MeanError = pairs.Length == 0 ? null : pairs.Average(p => Math.Abs(p.Predicted - p.Score)),
                RankCorrelation = rank?.Value,
                RankPValue = rank?.PValue,
                AllError = outcome.Error,
                AllDetermination = outcome.Determination,
            };
        }
    }

    // Sizes are needed only to tell models apart.
    private static List<Placed>? Points(SparseAttentionResult[] rows, string name, IPipelineSink sink)
    {
        var sizes = new ModelSizes();
        bool one = rows.Select(r => r.Model).Distinct().Count() == 1;
        var points = new List<Placed>();
        var unknown = new HashSet<string>();
        foreach (SparseAttentionResult row in rows)
        {
            double? size = sizes.Of(row);
            double? sparsity = Attention.MethodRegistry.IsDense(row.Method) ? RowSparsity.Decode(row) : RowSparsity.Prefill(row);
            if (ToleranceSeriesBuilder.IsDense(row))
            {
                sparsity = 0;
            }

            if (size is null && !one)
            {
                unknown.Add(row.Model);
            }
            else if (sparsity is >= 0 and < 1)
            {
                points.Add(new Placed(
                    new ScalingPoint(size ?? 1, row.SequenceLength, 1 / (1 - sparsity.Value), row.Task, CellOf(row), row.Score!.Value), 1 / (1 - (ClaimSide.SparsityOf(row) ?? 0))));
            }
        }

        foreach (string model in unknown)
        {
            sink.Warning($"{name}: the rows of {model} are left out, because its number of parameters is not known here.");
        }

        return points.Count == 0 ? null : points;
    }

    private static string? Shortage(IReadOnlyCollection<Placed> points)
    {
        if (points.Select(p => p.Asked).Distinct().Count() < 2)
        {
            return "one compression is no axis; dense runs count as 1, so give them too.";
        }

        // Both forms must be fitted, and the plain one has no task less.
        ScalingPoint[] fitted = [.. points.Select(p => p.Point)];
        int coefficients = ScalingFit.CoefficientCount(ScalingForm.Logarithmic, fitted);
        int needed = ScalingFit.PointsPerCoefficient * coefficients;
        return fitted.Length >= needed
            ? null
            : string.Create(
                CultureInfo.InvariantCulture,
                $"{coefficients} coefficients (an intercept, {Counted.Of(fitted.Select(p => p.Task).Distinct().Count() - 1, "task offset")} and the slopes) need {needed} runs at least, {ScalingFit.PointsPerCoefficient} for each; there are {fitted.Length}. Run more lengths, model sizes or sparsities.");
    }

    private static string CellOf(SparseAttentionResult row) => string.Create(CultureInfo.InvariantCulture, $"{row.Model}\u001f{row.SequenceLength}\u001f{row.Task}");

    /// <summary>A point with the compression asked for, by which it is held out: measured ones differ from run to run.</summary>
    private sealed record Placed(ScalingPoint Point, double Asked)
    {
        public double On(ScalingHoldOut axis) => axis switch { ScalingHoldOut.Length => Point.Length, ScalingHoldOut.Size => Point.Size, _ => Asked };
    }

    /// <summary>Predictions beside scores. A task that the fit did not see has none.</summary>
    private sealed class Outcome(ScalingFit fit, ScalingPoint[] points)
    {
        private readonly (string Task, double Predicted, double Score)[] _pairs =
            [.. points.Select(p => (p.Task, Predicted: fit.Predict(p), p.Score)).Where(p => p.Predicted is not null).Select(p => (p.Task, p.Predicted!.Value, p.Score))];

        public double? Error => _pairs.Length == 0 ? null : _pairs.Average(p => Math.Abs(p.Predicted - p.Score));

        public double? Determination
        {
            get
            {
                double mean = _pairs.Length == 0 ? 0 : _pairs.Average(p => p.Score);
                double total = _pairs.Sum(p => (p.Score - mean) * (p.Score - mean));
                return total > 0 ? 1 - (_pairs.Sum(p => (p.Predicted - p.Score) * (p.Predicted - p.Score)) / total) : null;
            }
        }

        public (double Predicted, double Score)[] Of(string task) => [.. _pairs.Where(p => p.Task == task).Select(p => (p.Predicted, p.Score))];
    }
}
