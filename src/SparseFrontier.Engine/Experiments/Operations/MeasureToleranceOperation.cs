using SparseFrontier.Analysis;

namespace SparseFrontier.Experiments.Operations;

/// <summary>Emits the largest tolerated sparsity of each method as <see cref="SparsityTolerance"/>.</summary>
public sealed class MeasureToleranceOperation
{
    /// <summary>The rows, dense ones among them; their samples are read from their folders unless the criterion is the paper's.</summary>
    public required IReadOnlyList<SparseAttentionResult> Results { get; init; }

    /// <summary>The mean loss of score that is accepted, above 0 and below 1.</summary>
    public double MaximumDrop { get; init; } = 0.05;

    /// <summary>Whether the loss is a share of the dense score.</summary>
    public bool Relative { get; init; }

    /// <summary>Confidence of a claim, one-sided, from 0.5 to below 1.</summary>
    public double ConfidenceLevel { get; init; } = 0.95;

    /// <summary>What counts as tolerated.</summary>
    public ToleranceCriterion Criterion { get; init; }

    /// <summary>Over what the chance of any false claim is controlled.</summary>
    public ToleranceCorrection Correction { get; init; }

    /// <summary>Whether to emit only the worst task of each method, model and length.</summary>
    public bool WorstTask { get; init; }

    /// <summary>Emits the tolerances; what cannot be tested is warned of, and an error on the sink where nothing can.</summary>
    /// <exception cref="SparseFrontierException">ParameterInvalid.</exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        Require(MaximumDrop, ConfidenceLevel);
        if (Pareto.LeftOut(Results) is { } left)
        {
            sink.Warning(left);
        }

        if (RowSparsity.Warning(Results.Where(Pareto.Includes)) is { } nominal)
        {
            sink.Warning(nominal);
        }

        var failures = new List<SparseFrontierException>();
        bool paper = Criterion == ToleranceCriterion.Paper;
        IReadOnlyList<ToleranceSeries> series = ToleranceSeriesBuilder.Build(Results.Where(Pareto.Includes), !paper, failures.Add);
        foreach (SparseFrontierException failure in failures)
        {
            if (series.Count == 0)
            {
                sink.Error(failure);
            }
            else
            {
                sink.Warning($"{failure.Message} It is left out.");
            }
        }

        cancellationToken.ThrowIfCancellationRequested();
        IReadOnlyList<SparsityTolerance> rows = paper
            ? Tolerance.NotSignificant(series, ConfidenceLevel)
            : Tolerance.NonInferiority(series, MaximumDrop, Relative, ConfidenceLevel, Correction, cancellationToken);
        foreach (SparsityTolerance row in WorstTask ? Worst(rows) : rows)
        {
            sink.Object(row);
        }
    }

    // A claim for all tasks holds where each holds at its own level, so the worst needs no further correction.
    private static IEnumerable<SparsityTolerance> Worst(IReadOnlyList<SparsityTolerance> rows) => rows
        .GroupBy(r => (r.Model, r.SequenceLength, r.Method, r.DecodeMethod, Parameters: FixedParameters.AcrossTasks(r.Task, r.Method, r.Parameters), r.DecodeSparsity))
        .Select(g => g.MinBy(r => r.ToleratedSparsity ?? double.NegativeInfinity)! with { TaskCount = g.Select(r => r.Task).Distinct().Count() });

    /// <summary>Refuses a margin or a confidence that cannot be meant.</summary>
    /// <exception cref="SparseFrontierException">ParameterInvalid.</exception>
    internal static void Require(double maximumDrop, double confidenceLevel)
    {
        if (maximumDrop is not (> 0 and < 1))
        {
            throw new SparseFrontierException(
                ErrorIds.ParameterInvalid,
                FormattableString.Invariant($"A loss of {maximumDrop} is not above 0 and below 1: it is a part of the score, 0.05 for five points of a hundred. No sample shows that nothing at all is lost."),
                maximumDrop);
        }

        if (confidenceLevel is not (>= 0.5 and < 1))
        {
            throw new SparseFrontierException(
                ErrorIds.ParameterInvalid, FormattableString.Invariant($"A confidence of {confidenceLevel} is not from 0.5 to below 1, such as 0.95."), confidenceLevel);
        }
    }
}
