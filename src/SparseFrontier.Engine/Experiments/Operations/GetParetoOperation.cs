using System.Globalization;
using SparseFrontier.Analysis;

namespace SparseFrontier.Experiments.Operations;

/// <summary>Emits each run as a <see cref="SparsityPoint"/> of its group's trade between cost and value.</summary>
public sealed class GetParetoOperation
{
    /// <summary>The rows.</summary>
    public required IReadOnlyList<SparseAttentionResult> Results { get; init; }

    /// <summary>Column of cost, such as "Density", "PrefillDensity", "DecodeDensity", "PrefillSeconds", "DecodeSeconds", "ElapsedSeconds" or "BytesRead".</summary>
    public string Cost { get; init; } = "Density";

    /// <summary>Column of value.</summary>
    public string Value { get; init; } = "Score";

    /// <summary>Columns that divide the rows into groups, each with its own frontier.</summary>
    public IReadOnlyList<string> GroupBy { get; init; } = ["Task", "SequenceLength"];

    /// <summary>Whether to emit only the frontier.</summary>
    public bool OptimalOnly { get; init; }

    /// <summary>Emits the points, group by group, cheapest first.</summary>
    /// <exception cref="SparseFrontierException">ParameterInvalid: an unknown column, or density as the cost of rows of several models.</exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        int left = Results.Count(r => !Pareto.Includes(r));
        if (left > 0)
        {
            sink.Warning(string.Create(
                CultureInfo.InvariantCulture,
                $"{left} of {Results.Count} rows are left out of the frontier: not completed, infeasible, or with samples that fell back to dense."));
        }

        foreach (SparsityPoint point in Pareto.Points(Results, Cost, Value, GroupBy).Where(p => p.IsOptimal || !OptimalOnly))
        {
            cancellationToken.ThrowIfCancellationRequested();
            sink.Object(point);
        }
    }
}
