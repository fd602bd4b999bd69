using System.Globalization;
using SparseFrontier.Reporting;

namespace SparseFrontier.Cli.Output;

/// <summary>The tables that verbs print.</summary>
internal static class Tables
{
    /// <summary>Runs, a table for each model, task and length.</summary>
    public static void Results(TextWriter writer, IEnumerable<SparseAttentionResult> results)
    {
        foreach (var group in results.GroupBy(r => (r.Model, r.Task, r.SequenceLength)))
        {
            writer.WriteLine();
            writer.WriteLine(FormattableString.Invariant($"{group.Key.Task} at {group.Key.SequenceLength} tokens, {group.Key.Model}"));
            SparseAttentionResult[] rows = [.. group];
            TextTable.Write(
                writer,
                rows,
                new("Method", r => CellText.Methods(r.Method, r.DecodeMethod)),
                new("Asked", r => CellText.Requested(r.RequestedSparsity, r.RequestedDecodeSparsity), Right: true),
                new("Prefill", r => CellText.Fraction(r.PrefillSparsity), Right: true),
                new("Decode", r => CellText.Fraction(r.DecodeSparsity), Right: true),
                new("Score", r => CellText.Score(r.Score), Right: true),
                new("95 %", r => CellText.RunInterval(r.ScoreLow, r.ScoreHigh, r.FallbackCount, r.SampleCount, r.Status)),
                new("n", r => r.SampleCount.ToString(CultureInfo.InvariantCulture), Right: true),
                new("s/sample", r => CellText.Seconds(r.ElapsedSeconds), Right: true),
                new("Status", r => r.Status.ToString()));
            if (rows.Any(r => r.FallbackCount > 0))
            {
                writer.WriteLine("  dense k/n: k of n samples ran dense, because their length cannot hold the budget; frontiers leave such runs out");
            }

            foreach (string line in rows.Select(r => r.Message).Where(m => !string.IsNullOrEmpty(m)).Distinct().SelectMany(m => CellText.Lines(m!, 98)))
            {
                writer.WriteLine($"  {line}");
            }
        }
    }

    /// <summary>Submitted jobs.</summary>
    public static void Jobs(TextWriter writer, IReadOnlyList<SparseAttentionJob> jobs)
    {
        TextTable.Write(
            writer,
            jobs,
            new("Job", j => j.JobId),
            new("Name", j => j.Name),
            new("State", j => j.State.ToString()),
            new("Elements", j => j.TaskCount.ToString(CultureInfo.InvariantCulture), Right: true),
            new("Wait", j => j.PendingCount.ToString(CultureInfo.InvariantCulture), Right: true),
            new("Run", j => j.RunningCount.ToString(CultureInfo.InvariantCulture), Right: true),
            new("Done", j => j.CompletedCount.ToString(CultureInfo.InvariantCulture), Right: true),
            new("Failed", j => j.FailedCount.ToString(CultureInfo.InvariantCulture), Right: true),
            new("Reason", j => j.Reason));
        foreach (string folder in jobs.Select(j => j.Path))
        {
            writer.WriteLine($"  {folder}");
        }
    }

    /// <summary>Frontiers, a table for each; the protocol is named where there are several.</summary>
    public static void Frontiers(TextWriter writer, IReadOnlyList<SparsityPoint> points)
    {
        foreach (var group in points.GroupBy(p => (Heading: CellText.FrontierHeading(p), p.Protocol)))
        {
            SparsityPoint[] rows = [.. group];
            bool alone = points.All(p => p.Task != rows[0].Task || p.Protocol == group.Key.Protocol);
            writer.WriteLine();
            writer.WriteLine($"{group.Key.Heading} (* on the frontier{(rows.Any(IsByCostAlone) ? "; o by its cost alone: the score is hardly above chance" : "")})");
            if (!alone)
            {
                writer.WriteLine($"  {group.Key.Protocol}");
            }

            TextTable.Write(
                writer,
                rows,
                new("", p => IsByCostAlone(p) ? "o" : p.IsOptimal ? "*" : ""),
                new("Method", CellText.Point),
                new("Prefill", p => CellText.Fraction(p.PrefillSparsity), Right: true),
                new("Decode", p => CellText.Fraction(p.DecodeSparsity), Right: true),
                new(rows[0].CostName, p => CellText.Cost(p.Cost), Right: true),
                new(rows[0].ValueName, p => CellText.Score(p.Value), Right: true),
                new("95 %", p => CellText.Interval(p.ValueLow, p.ValueHigh)),
                new("Sure", p => CellText.Fraction(p.OptimalShare), Right: true),
                new("Dominated by", p => p.DominatedBy?.Split(" [")[0] ?? ""));
            if (rows[0].Hypervolume is { } volume)
            {
                writer.WriteLine($"  hypervolume {CellText.Score(volume)} {CellText.Interval(rows[0].HypervolumeLow, rows[0].HypervolumeHigh)}".TrimEnd());
            }
        }
    }

    private static bool IsByCostAlone(SparsityPoint point) => point is { IsOptimal: true, IsAboveChance: false };

    /// <summary>Tolerances, a table for each model, criterion and margin.</summary>
    public static void Tolerances(TextWriter writer, IReadOnlyList<SparsityTolerance> tolerances)
    {
        foreach (var group in tolerances.GroupBy(CellText.ToleranceHeading))
        {
            writer.WriteLine();
            writer.WriteLine(group.Key);
            TextTable.Write(
                writer,
                [.. group],
                new("Task", t => CellText.Tasks(t)),
                new("Length", t => t.SequenceLength.ToString(CultureInfo.InvariantCulture), Right: true),
                new("Method", t => CellText.Methods(t.Method, t.DecodeMethod)),
                new("Tolerated", t => CellText.Fraction(t.ToleratedSparsity), Right: true),
                new("Loss", t => CellText.Score(t.Loss), Right: true),
                new("At most", t => CellText.Score(t.LossHigh), Right: true),
                new("n", t => t.SampleCount.ToString(CultureInfo.InvariantCulture), Right: true),
                new("Beyond", t => t.Message));
        }
    }

    /// <summary>Comparisons with a baseline, a table for each task, length and model.</summary>
    public static void Differences(TextWriter writer, IReadOnlyList<ResultDifference> rows)
    {
        foreach (var group in rows.GroupBy(CellText.DifferenceHeading))
        {
            writer.WriteLine();
            writer.WriteLine(group.Key);
            TextTable.Write(
                writer,
                [.. group],
                new("Method", d => CellText.Methods(d.Method, d.DecodeMethod)),
                new("Asked", d => CellText.Requested(d.RequestedSparsity, d.RequestedDecodeSparsity), Right: true),
                new("Before", d => CellText.Score(d.BaselineScore), Right: true),
                new("Now", d => CellText.Score(d.Score), Right: true),
                new("Bounds", d => CellText.SignedInterval(d.DifferenceLow, d.DifferenceHigh)),
                new("n", d => d.SampleCount.ToString(CultureInfo.InvariantCulture), Right: true),
                new("Verdict", d => d.Verdict.ToString()),
                new("", d => d.Message));
        }
    }

    /// <summary>Verdicts on a claim, a table for each model.</summary>
    public static void Claims(TextWriter writer, IReadOnlyList<SparsityClaim> rows)
    {
        foreach (var group in rows.GroupBy(CellText.ClaimHeading))
        {
            writer.WriteLine();
            writer.WriteLine(group.Key);
            TextTable.Write(
                writer,
                [.. group],
                new("Task", c => c.Task),
                new("Length", c => c.SequenceLength.ToString(CultureInfo.InvariantCulture), Right: true),
                new("Sparsity", CellText.ClaimSparsity, Right: true),
                new("Score", c => CellText.Score(c.Score), Right: true),
                new("Other", c => CellText.Score(c.OtherScore), Right: true),
                new("Bounds", c => CellText.SignedInterval(c.DifferenceLow, c.DifferenceHigh)),
                new("n", c => c.SampleCount.ToString(CultureInfo.InvariantCulture), Right: true),
                new("Verdict", c => c.Verdict.ToString()),
                new("", c => c.Message));
        }
    }

    /// <summary>What results say of the paper's claims.</summary>
    public static void Findings(TextWriter writer, IReadOnlyList<SparsityFinding> rows)
    {
        writer.WriteLine(CellText.FindingHeading(rows[0]));
        TextTable.Write(
            writer,
            rows,
            new("Label", CellText.FindingLabel),
            new("Estimate", f => CellText.Signed(f.Estimate), Right: true),
            new("95 %", f => CellText.SignedInterval(f.Low, f.High)),
            new("n", f => f.SampleCount.ToString(CultureInfo.InvariantCulture), Right: true),
            new("Claim", CellText.FindingText));
    }

    /// <summary>Errors over lengths or sizes, a table for each method.</summary>
    public static void Effects(TextWriter writer, IReadOnlyList<SparsityEffect> rows)
    {
        foreach (var group in rows.GroupBy(CellText.EffectHeading))
        {
            writer.WriteLine();
            writer.WriteLine(group.Key);
            TextTable.Write(
                writer,
                [.. group],
                new("Model", e => e.Model),
                new("Length", e => e.SequenceLength.ToString(CultureInfo.InvariantCulture), Right: true),
                new("Sparsity", CellText.EffectSparsity, Right: true),
                new("Dense", e => CellText.Score(e.DenseScore), Right: true),
                new("Score", e => CellText.Score(e.Score), Right: true),
                new("Error", e => CellText.Score(e.RelativeError), Right: true),
                new("95 %", e => CellText.Interval(e.RelativeErrorLow, e.RelativeErrorHigh)),
                new("Needed", e => CellText.Fraction(e.NeededDensity), Right: true));
        }
    }

    /// <summary>Scaling laws, a table for each method, form and held-out axis.</summary>
    public static void Scalings(TextWriter writer, IReadOnlyList<SparsityScaling> rows)
    {
        foreach (var group in rows.GroupBy(CellText.ScalingHeading))
        {
            writer.WriteLine();
            writer.WriteLine(group.Key);
            writer.WriteLine($"  {CellText.ScalingLaw(group.First())}");
            TextTable.Write(
                writer,
                [.. group],
                new("Task", s => s.Task),
                new("Offset", CellText.ScalingOffset, Right: true),
                new("95 %", s => CellText.SignedInterval(s.OffsetLow, s.OffsetHigh)),
                new("n", s => s.PredictedCount.ToString(CultureInfo.InvariantCulture), Right: true),
                new("Error", s => CellText.Score(s.MeanError), Right: true),
                new("Rank", s => CellText.Signed(s.RankCorrelation), Right: true),
                new("p", s => CellText.Score(s.RankPValue), Right: true));
        }
    }

    /// <summary>Advice, each with its reason.</summary>
    public static void Recommendations(TextWriter writer, IReadOnlyList<SparsityRecommendation> rows)
    {
        foreach (var group in rows.GroupBy(CellText.RecommendationHeading))
        {
            writer.WriteLine();
            foreach (string line in CellText.Lines(group.Key, 100))
            {
                writer.WriteLine(line);
            }

            TextTable.Write(
                writer,
                [.. group],
                new("Length", r => r.SequenceLength.ToString(CultureInfo.InvariantCulture), Right: true),
                new("Phase", r => r.Phase),
                new("Method", r => CellText.Methods(r.Method, r.DecodeMethod)),
                new("Sparsity", r => CellText.Fraction(r.ToleratedSparsity), Right: true),
                new("Loss", r => CellText.Score(r.Loss), Right: true),
                new("Bounds", r => CellText.SignedInterval(r.LossLow, r.LossHigh)),
                new("Faster", CellText.RecommendationSpeed, Right: true));
            foreach (SparsityRecommendation row in group)
            {
                foreach (string line in CellText.Lines(FormattableString.Invariant($"{row.Phase} at {row.SequenceLength}: {row.Reason}"), 98))
                {
                    writer.WriteLine($"  {line}");
                }
            }

            foreach (string schedule in group.Where(r => r.BudgetSchedule.Length > 0).Select(r => $"{CellText.Methods(r.Method, r.DecodeMethod)}: --parameter '{r.Parameters}' --budget-schedule '{r.BudgetSchedule}'").Distinct())
            {
                writer.WriteLine($"  {schedule}");
            }
        }
    }

    /// <summary>Costs, a table for each model, formula, phase, length and batch.</summary>
    public static void Costs(TextWriter writer, IReadOnlyList<SparseAttentionCost> costs)
    {
        foreach (var group in costs.GroupBy(c => (c.Model, c.Formula, c.Phase, c.SequenceLength, c.BatchSize)))
        {
            SparseAttentionCost[] rows = [.. group];
            writer.WriteLine();
            writer.WriteLine(CellText.CostHeading(rows[0]));
            TextTable.Write(
                writer,
                rows,
                new("Method", c => c.Method),
                new("Sparsity", c => CellText.Fraction(c.Sparsity), Right: true),
                new(rows[0].Unit, c => CellText.Amount(c.Total), Right: true),
                new("Index", c => CellText.Amount(c.Index), Right: true),
                new("Index %", c => CellText.Percent(c.IndexShare), Right: true),
                new("Attention %", c => CellText.Percent(c.AttentionShare), Right: true),
                new("Speedup", c => CellText.Fraction(c.Speedup), Right: true),
                new("Free index", c => CellText.Fraction(c.SpeedupWithoutIndex), Right: true),
                new("Index by", c => c.IndexSource));
        }
    }

    /// <summary>Samples.</summary>
    public static void Samples(TextWriter writer, IReadOnlyList<SampleResult> samples) => TextTable.Write(
        writer,
        samples,
        new("Run", s => s.RunId.Length > 8 ? s.RunId[..8] : s.RunId),
        new("Index", s => s.Index.ToString(CultureInfo.InvariantCulture), Right: true),
        new("Score", s => CellText.Score(s.Score), Right: true),
        new("Prefill", s => CellText.Fraction(s.PrefillSparsity), Right: true),
        new("Decode", s => CellText.Fraction(s.DecodeSparsity), Right: true),
        new("Failure", s => CellText.SampleFailure(s.DenseFallback, s.FormatFailure)),
        new("Output", s => s.Output.ReplaceLineEndings(" ")));

    /// <summary>What runs would cost.</summary>
    public static void Plans(TextWriter writer, IReadOnlyList<SparseAttentionPlan> plans) => TextTable.Write(
        writer,
        plans,
        new("Method", p => CellText.Methods(p.Method, p.DecodeMethod)),
        new("Asked", p => CellText.Requested(p.Sparsity, p.DecodeSparsity), Right: true),
        new("Task", p => p.Task),
        new("Length", p => p.SequenceLength.ToString(CultureInfo.InvariantCulture), Right: true),
        new("Samples", p => p.SampleCount.ToString(CultureInfo.InvariantCulture), Right: true),
        new("Prefill", p => CellText.SharedPrefill(p), Right: true),
        new("FLOP", p => CellText.Operations(p.SharedPrefillOperations), Right: true),
        new("Read", p => CellText.Bytes(p.BytesRead), Right: true),
        new("Seconds", p => CellText.PredictedSeconds(p), Right: true),
        new("Detects", p => CellText.Score(p.DetectableDifference), Right: true),
        new("Note", p => p.Message));

    /// <summary>Methods.</summary>
    public static void Methods(TextWriter writer, IReadOnlyList<SparseAttentionMethod> methods) => TextTable.Write(
        writer,
        methods,
        new("Name", m => m.Name),
        new("Phase", m => m.Phase),
        new("Budget", m => m.Budget),
        new("Parameters", m => m.DefaultParameters.Replace(";", " ", StringComparison.Ordinal)));

    /// <summary>Tasks.</summary>
    public static void Tasks(TextWriter writer, IReadOnlyList<SparseAttentionTask> tasks) => TextTable.Write(
        writer,
        tasks,
        new("Name", t => t.Name),
        new("Category", t => t.Category),
        new("Metric", t => t.Metric),
        new("Description", t => t.Description));

    /// <summary>Models.</summary>
    public static void Models(TextWriter writer, IReadOnlyList<SparseAttentionModel> models) => TextTable.Write(
        writer,
        models,
        new("Name", m => m.IsDefault ? $"{m.Name} (default)" : m.Name),
        new("Architecture", m => m.Architecture),
        new("Parameters", m => CellText.Count(m.ParameterCount), Right: true),
        new("Layers", m => m.LayerCount.ToString(CultureInfo.InvariantCulture), Right: true),
        new("Heads", m => FormattableString.Invariant($"{m.HeadCount}/{m.KvHeadCount}"), Right: true),
        new("Context", m => m.ContextLength.ToString(CultureInfo.InvariantCulture), Right: true),
        new("Size", m => CellText.Bytes(m.SizeBytes), Right: true),
        new("Path", m => m.Path));

    /// <summary>Devices.</summary>
    public static void Devices(TextWriter writer, IReadOnlyList<SparseAttentionDevice> devices) => TextTable.Write(
        writer,
        devices,
        new("Name", d => d.Name),
        new("Processors", d => d.ProcessorCount.ToString(CultureInfo.InvariantCulture), Right: true),
        new("Memory", d => CellText.Bytes(d.MemoryBytes), Right: true),
        new("Instructions", d => d.InstructionSet),
        new("Energy", d => d.EnergyCounter.Split(',', ':')[0]),
        new("Description", d => d.Description));

    /// <summary>Kernel tests.</summary>
    public static void Kernels(TextWriter writer, IReadOnlyList<KernelCorrectnessResult> results) => TextTable.Write(
        writer,
        results,
        new("", r => r.Passed ? "ok" : "FAILED"),
        new("Kernel", r => r.Kernel),
        new("Backend", r => r.Backend),
        new("Type", r => r.DataType),
        new("Error", r => r.MaximumRelativeError.ToString("E1", CultureInfo.InvariantCulture), Right: true),
        new("Allowed", r => r.Tolerance.ToString("E1", CultureInfo.InvariantCulture), Right: true),
        new("Shape", r => r.Shape));

    /// <summary>Times of methods, a table for each phase and shape.</summary>
    public static void KernelMeasurements(TextWriter writer, IReadOnlyList<KernelMeasurement> rows)
    {
        foreach (var group in rows.GroupBy(r => (r.Phase, r.Device, r.QueryHeads, r.KvHeads, r.HeadDimension)))
        {
            writer.WriteLine();
            writer.WriteLine(CellText.KernelShape(group.First()));
            TextTable.Write(
                writer,
                [.. group],
                new("Method", r => r.Method),
                new("Tokens", r => r.SequenceLength.ToString(CultureInfo.InvariantCulture), Right: true),
                new("Asked", r => CellText.Fraction(r.RequestedSparsity), Right: true),
                new("Sparsity", r => CellText.Fraction(r.Sparsity), Right: true),
                new("Index ms", r => CellText.Milliseconds(r.IndexMilliseconds), Right: true),
                new("Attention ms", r => CellText.Milliseconds(r.AttentionMilliseconds), Right: true),
                new("Speed-up", r => CellText.Factor(r.SpeedUp), Right: true),
                new("Ideal", r => CellText.Factor(r.IdealSpeedUp), Right: true),
                new("Rate", CellText.Rate, Right: true),
                new("Roof", r => CellText.Fraction(r.RoofShare), Right: true),
                new("Memory", r => CellText.Bytes(r.MemoryBytes), Right: true),
                new("Pays from", r => r.CrossoverLength?.ToString(CultureInfo.InvariantCulture) ?? "-", Right: true));
        }
    }

    /// <summary>What methods keep, a table for each sample and phase.</summary>
    public static void Patterns(TextWriter writer, IReadOnlyList<AttentionPattern> rows)
    {
        foreach (var group in rows.GroupBy(CellText.PatternHeading))
        {
            writer.WriteLine();
            writer.WriteLine(group.Key);
            TextTable.Write(
                writer,
                [.. group],
                new("Layer", r => r.Layer.ToString(CultureInfo.InvariantCulture), Right: true),
                new("Head", r => r.Head.ToString(CultureInfo.InvariantCulture), Right: true),
                new("Method", r => r.Method),
                new("Sparsity", r => CellText.Fraction(r.Sparsity), Right: true),
                new("Mass", r => CellText.Score(r.CapturedMass), Right: true),
                new("Recall", r => CellText.Score(r.AttentionRecall), Right: true),
                new("Distance", r => CellText.Score(r.OracleDistance), Right: true),
                new("Error", r => CellText.Score(r.OutputError), Right: true),
                new("First", r => CellText.Fraction(r.FirstTokenMass), Right: true),
                new("Local", r => CellText.Fraction(r.LocalMass), Right: true),
                new("Keys 95 %", r => CellText.Fraction(r.KeyShareFor95), Right: true));
        }
    }

    /// <summary>Files of traces.</summary>
    public static void Traces(TextWriter writer, IReadOnlyList<AttentionTraceFile> rows) => TextTable.Write(
        writer,
        rows,
        new("Layer", r => r.Layer.ToString(CultureInfo.InvariantCulture), Right: true),
        new("Heads", r => FormattableString.Invariant($"{r.QueryHeads}/{r.KvHeads}"), Right: true),
        new("Tokens", r => r.PromptTokens.ToString(CultureInfo.InvariantCulture), Right: true),
        new("Size", r => CellText.Bytes(r.SizeInBytes), Right: true),
        new("Path", r => r.Path));

    /// <summary>Bundles that were written.</summary>
    public static void Bundles(TextWriter writer, IReadOnlyList<SparseAttentionBundle> rows) => TextTable.Write(
        writer,
        rows,
        new("Runs", r => r.RunCount.ToString(CultureInfo.InvariantCulture), Right: true),
        new("Samples", r => r.SampleCount.ToString(CultureInfo.InvariantCulture), Right: true),
        new("Size", r => CellText.Bytes(r.SizeInBytes), Right: true),
        new("BundleId", r => r.BundleId),
        new("Path", r => r.Path));

    /// <summary>Runs of bundles with stored and new scores, a table for each bundle.</summary>
    public static void BundledRuns(TextWriter writer, IReadOnlyList<BundledRun> runs)
    {
        foreach (var group in runs.GroupBy(CellText.BundleHeading))
        {
            writer.WriteLine();
            writer.WriteLine(group.Key);
            TextTable.Write(
                writer,
                [.. group],
                new("Task", r => r.Task),
                new("Length", r => r.SequenceLength.ToString(CultureInfo.InvariantCulture), Right: true),
                new("Method", r => CellText.Methods(r.Method, r.DecodeMethod)),
                new("Asked", r => CellText.Requested(r.RequestedSparsity, r.RequestedDecodeSparsity), Right: true),
                new("Stored", r => CellText.Score(r.StoredScore), Right: true),
                new("Score", r => CellText.Score(r.Score), Right: true),
                new("n", r => r.SampleCount.ToString(CultureInfo.InvariantCulture), Right: true),
                new("Verdict", r => r.Verdict.ToString()),
                new("Message", r => r.Message));
        }
    }

    /// <summary>Samples of bundles with stored and new scores.</summary>
    public static void RescoredSamples(TextWriter writer, IReadOnlyList<RescoredSample> samples) => TextTable.Write(
        writer,
        samples,
        new("Run", s => s.RunId[..8]),
        new("Index", s => s.Index.ToString(CultureInfo.InvariantCulture), Right: true),
        new("Stored", s => CellText.Score(s.StoredScore), Right: true),
        new("Score", s => CellText.Score(s.Score), Right: true),
        new("Changed", s => s.IsChanged?.ToString() ?? "-"),
        new("Failure", s => s.FormatFailure ?? ""),
        new("Output", s => s.Output.ReplaceLineEndings(" ")));
}
