using SparseFrontier.Analysis;
using SparseFrontier.Attention;

namespace SparseFrontier.Experiments.Operations;

/// <summary>Emits each run as a <see cref="SparsityPoint"/> of its group's trade between cost and value.</summary>
public sealed class GetParetoOperation
{
    /// <summary>The rows.</summary>
    public required IReadOnlyList<SparseAttentionResult> Results { get; init; }

    /// <summary>
    /// Cost: "PrefillFlops", "DecodeBytes" or "MemoryReads", computed from the model's sizes (<see cref="RequestCost"/>); "Density",
    /// "PrefillDensity" or "DecodeDensity"; or a column of the rows such as "PrefillSeconds". Of DecodeSeconds,
    /// ElapsedSeconds and Joules, which say nothing of a method where runs stepped together, only rows that did not. Empty: by phase. Prefill methods then have a
    /// frontier over PrefillFlops, decode methods one over DecodeBytes, and where runs are sparse in both phases all have one over MemoryReads.
    /// </summary>
    public string Cost { get; init; } = "";

    /// <summary>Column of value.</summary>
    public string Value { get; init; } = "Score";

    /// <summary>Columns that divide the rows into groups, each with its own frontier.</summary>
    public IReadOnlyList<string> GroupBy { get; init; } = ["Task", "SequenceLength"];

    /// <summary>How the rows of several tasks become one point; a frontier is then of all tasks together, whatever <see cref="GroupBy"/> says of tasks.</summary>
    public TaskAggregate Aggregate { get; init; }

    /// <summary>Whether to emit only the frontier.</summary>
    public bool OptimalOnly { get; init; }

    /// <summary>Sequences that share the reading of weights, in computed costs of decode.</summary>
    public int BatchSize { get; init; } = 1;

    /// <summary>Output tokens of a request, in MemoryReads.</summary>
    public int OutputTokenCount { get; init; } = 256;

    /// <summary>Emits the points, frontier by frontier, cheapest first.</summary>
    /// <exception cref="SparseFrontierException">ParameterInvalid: an unknown column, or density as the cost of rows of several models. DataInsufficient: a computed cost was named and a model's sizes are not known.</exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        // Each output token is a step whose reads are summed up.
        const int MostOutputTokens = 1 << 20;
        if (BatchSize < 1 || OutputTokenCount is < 1 or > MostOutputTokens)
        {
            throw new SparseFrontierException(
                ErrorIds.ParameterInvalid, FormattableString.Invariant($"Batch size and output tokens are whole numbers from 1, output tokens up to {MostOutputTokens}."), BatchSize < 1 ? BatchSize : OutputTokenCount);
        }

        if (Pareto.LeftOut(Results) is { } left)
        {
            sink.Warning(left);
        }

        SparseAttentionResult[] rows = [.. Results.Where(Pareto.Includes)];
        if (RowSparsity.Warning(rows) is { } nominal)
        {
            sink.Warning(nominal);
        }

        string[] ofSteps = [nameof(SparseAttentionResult.DecodeSeconds), nameof(SparseAttentionResult.ElapsedSeconds), nameof(SparseAttentionResult.Joules)];
        if (ofSteps.Contains(Cost, StringComparer.OrdinalIgnoreCase))
        {
            rows = WithoutSharedSteps(rows, sink);
        }

        var costs = new RequestCosts(BatchSize, OutputTokenCount);
        if (Aggregate != TaskAggregate.None)
        {
            // The phases are told from the rows themselves, and their tasks put together then.
            foreach ((string cost, IReadOnlyList<SparseAttentionResult> part) in Parts(rows, costs, sink))
            {
                EmitAggregated(sink, cost, AggregatedTasks.Of(part, Aggregate, sink.Warning), costs, cancellationToken);
            }

            return;
        }

        foreach ((string cost, IReadOnlyList<SparseAttentionResult> part) in Parts(rows, costs, sink))
        {
            Emit(sink, cost, part, costs, cancellationToken);
        }
    }

    // As recommendations, advice and reports do; but a row of another program, or of a version without the column, is the user's to judge.
    private SparseAttentionResult[] WithoutSharedSteps(SparseAttentionResult[] rows, IPipelineSink sink)
    {
        const string Instead = " (SequencesPerStep), and an equal share of what they took says nothing of a method. Take DecodeBytes or MemoryReads, or runs with -BatchSize 1 -Force (--batch 1 --force).";
        SparseAttentionResult[] own = [.. rows.Where(r => !(r is { DecodeSeconds: > 0, SequencesPerStep: > 1 }))];
        if (own.Length < rows.Length)
        {
            sink.Warning(FormattableString.Invariant($"{Cost} of {rows.Length - own.Length} of {Counted.Of(rows.Length, "row")} is left out: steps were shared with other runs") + Instead);
        }

        if (own.Count(r => r is { DecodeSeconds: > 0, SequencesPerStep: null }) is > 0 and int unknown)
        {
            sink.Warning(FormattableString.Invariant($"{Cost} of {unknown} of {Counted.Of(rows.Length, "row")}: steps may have been shared with other runs") + Instead);
        }

        return own;
    }

    private void Emit(IPipelineSink sink, string cost, IReadOnlyList<SparseAttentionResult> rows, RequestCosts costs, CancellationToken cancellationToken)
    {
        string? computed = RequestCost.Names.FirstOrDefault(n => n.Equals(cost, StringComparison.OrdinalIgnoreCase));
        Emit(
            sink,
            Pareto.Points(rows, cost, Value, GroupBy, computed is null ? null : row => costs.Of(row, computed), resample: group => Resample(() => ResampledScores.Of(group, sink.Verbose), cancellationToken)),
            cancellationToken);
    }

    private void EmitAggregated(IPipelineSink sink, string cost, AggregatedTasks tasks, RequestCosts costs, CancellationToken cancellationToken)
    {
        string? computed = RequestCost.Names.FirstOrDefault(n => n.Equals(cost, StringComparison.OrdinalIgnoreCase));
        Func<SparseAttentionResult, double?> costOf = computed is null ? Pareto.Column(cost) : row => costs.Of(row, computed);
        Func<SparseAttentionResult, double?> valueOf = Pareto.Column(Value);
        Emit(
            sink,
            Pareto.Points(
                tasks.Rows,
                cost,
                Value,
                [.. GroupBy.Where(c => !c.Equals(nameof(SparseAttentionResult.Task), StringComparison.OrdinalIgnoreCase))],
                row => tasks.Cost(row, costOf),
                row => tasks.Value(row, valueOf),
                group => Resample(() => tasks.Resample(group, sink.Verbose), cancellationToken)),
            cancellationToken);
    }

    // Nearly all of the time goes here, frontier by frontier.
    private static double[][]? Resample(Func<double[][]?> scores, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return scores();
    }

    private void Emit(IPipelineSink sink, IReadOnlyList<SparsityPoint> points, CancellationToken cancellationToken)
    {
        foreach (SparsityPoint point in points.Where(p => p.IsOptimal || !OptimalOnly))
        {
            cancellationToken.ThrowIfCancellationRequested();
            sink.Object(point);
        }
    }

    private List<(string Cost, IReadOnlyList<SparseAttentionResult> Rows)> Parts(SparseAttentionResult[] rows, RequestCosts costs, IPipelineSink sink)
    {
        if (Cost.Length > 0)
        {
            return [(Cost, rows)];
        }

        try
        {
            foreach (SparseAttentionResult row in rows)
            {
                costs.Of(row, RequestCost.PrefillFlopsName);
            }
        }
        catch (SparseFrontierException e) when (e.ErrorId is ErrorIds.DataInsufficient or ErrorIds.MethodNotFound)
        {
            sink.Warning($"{e.Message} Density is taken.");
            return [("Density", rows)];
        }

        SparseAttentionResult[] prefill = [.. rows.Where(r => MethodRegistry.IsDense(r.DecodeMethod))];
        SparseAttentionResult[] decode = [.. rows.Where(r => MethodRegistry.IsDense(r.Method))];
        bool sparsePrefill = prefill.Any(r => !MethodRegistry.IsDense(r.Method));
        bool sparseDecode = decode.Any(r => !MethodRegistry.IsDense(r.DecodeMethod));
        bool joint = prefill.Length + decode.Length < rows.Length + rows.Count(r => MethodRegistry.IsDense(r.Method) && MethodRegistry.IsDense(r.DecodeMethod));
        var parts = new List<(string, IReadOnlyList<SparseAttentionResult>)>();
        if (sparsePrefill || !(sparseDecode || joint))
        {
            parts.Add((RequestCost.PrefillFlopsName, prefill));
        }

        if (sparseDecode)
        {
            parts.Add((RequestCost.DecodeBytesName, decode));
        }

        if (joint)
        {
            parts.Add((RequestCost.MemoryReadsName, rows));
        }

        return parts;
    }
}
