using System.Text.Json.Nodes;
using SparseFrontier.Analysis;
using SparseFrontier.Attention;
using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Operations;

namespace SparseFrontier.Reporting.Report;

/// <summary>What a report is made from, in a fixed order: the same rows give the same report in whatever order they come.</summary>
internal sealed class ReportData
{
    /// <summary>The rows, each run once.</summary>
    public required IReadOnlyList<SparseAttentionResult> Rows { get; init; }

    /// <summary>Points of all frontiers.</summary>
    public required IReadOnlyList<SparsityPoint> Points { get; init; }

    /// <summary>Tolerances.</summary>
    public required IReadOnlyList<SparsityTolerance> Tolerances { get; init; }

    /// <summary>Times of methods on one layer.</summary>
    public required IReadOnlyList<KernelMeasurement> Kernels { get; init; }

    /// <summary>Looks of all methods.</summary>
    public required IReadOnlyList<MethodLook> Looks { get; init; }

    /// <summary>What the analyses warned of.</summary>
    public required IReadOnlyList<string> Warnings { get; init; }

    /// <summary>The samples behind the rows.</summary>
    public PairedScores Samples { get; } = new();

    /// <summary>How many rows stand apart: not completed, infeasible, or with samples that fell back to dense.</summary>
    public int LeftOut => Rows.Count(r => !Pareto.Includes(r));

    /// <summary>Rows that show what a method does: completed, none of its samples dense by fallback, with a score.</summary>
    public IEnumerable<SparseAttentionResult> Scored => Rows.Where(r => Pareto.Includes(r) && r.Score is not null);

    /// <summary>Sorts the rows and analyses them.</summary>
    public static ReportData Of(IReadOnlyList<SparseAttentionResult> results, IReadOnlyList<KernelMeasurement> kernels, double maximumDrop, CancellationToken cancellationToken)
    {
        IReadOnlyList<MethodLook> looks = MethodPalette.For([.. results.Select(Methods), .. kernels.Select(k => k.Method)]);
        int Rank(string methods) => looks.TakeWhile(l => l.Name != methods).Count();
        SparseAttentionResult[] rows =
        [
            .. results.OrderBy(r => r.Model, StringComparer.Ordinal).ThenBy(r => r.Task, StringComparer.Ordinal).ThenBy(r => r.SequenceLength)
                .ThenBy(Protocol.Key, StringComparer.Ordinal).ThenBy(r => Rank(Methods(r))).ThenBy(r => r.RequestedSparsity).ThenBy(r => r.RequestedDecodeSparsity)
                .ThenBy(r => r.Seed).ThenBy(r => $"{r.Parameters} {r.DecodeParameters}", StringComparer.Ordinal).ThenBy(r => r.RunId, StringComparer.Ordinal)
                .ThenBy(r => r.Score).ThenBy(r => r.SampleCount)
                .DistinctBy(r => r.RunId.Length > 0 ? (object)r.RunId : r),
        ];
        SparseAttentionResult[] included = [.. rows.Where(Pareto.Includes)];
        var sink = new Collector();
        Collect(() => new GetParetoOperation { Results = included }.Execute(sink, cancellationToken));
        Collect(() => new MeasureToleranceOperation { Results = included, MaximumDrop = maximumDrop }.Execute(sink, cancellationToken));
        return new ReportData
        {
            Rows = rows,
            Points = [.. FrontiersOf(sink.Objects.OfType<SparsityPoint>()).SelectMany(f => f)],
            Tolerances = [.. sink.Objects.OfType<SparsityTolerance>()],
            Kernels =
            [
                .. kernels.Where(k => k.SpeedUp is not null).Distinct().OrderBy(k => k.Phase == "Decode").ThenBy(k => k.Phase, StringComparer.Ordinal)
                    .ThenBy(k => k.Device, StringComparer.Ordinal).ThenBy(k => k.SequenceLength).ThenBy(k => k.QueryHeads).ThenBy(k => k.KvHeads).ThenBy(k => k.HeadDimension)
                    .ThenBy(k => Rank(k.Method)).ThenBy(k => k.Sparsity).ThenBy(k => k.TotalMilliseconds),
            ],
            Looks = looks,
            Warnings = [.. sink.Warnings.Select(w => WithoutFolders(w, rows)).Distinct()],
        };

        void Collect(Action analysis)
        {
            try
            {
                analysis();
            }
            catch (SparseFrontierException e)
            {
                sink.Warning(e.Message);
            }
        }
    }

    /// <summary>The series of a row in figures.</summary>
    public static string Methods(SparseAttentionResult row) => CellText.Methods(row.Method, row.DecodeMethod);

    /// <summary>The looks of those methods that are among the names, in the order of all figures.</summary>
    public IReadOnlyList<MethodLook> LooksOf(IEnumerable<string> names)
    {
        var set = names.ToHashSet();
        return [.. Looks.Where(l => set.Contains(l.Name))];
    }

    /// <summary>"Niah at 2048 tokens, frontier-3m", with the protocol where the rows hold several of the same task and length.</summary>
    public string Place(SparseAttentionResult row)
    {
        string protocol = ProtocolOf(row.Task, row.SequenceLength, Protocol.Describe(row));
        return FormattableString.Invariant($"{row.Task} at {row.SequenceLength} tokens, {row.Model}{protocol}");
    }

    /// <summary>The points of each frontier. Frontiers of both phases stand only where a run is sparse in both: elsewhere each phase's own says more.</summary>
    public static IEnumerable<IReadOnlyList<SparsityPoint>> FrontiersOf(IEnumerable<SparsityPoint> points) => Terminal.ShowParetoOperation.Frontiers(points)
        .Where(f => f[0].CostName != RequestCost.MemoryReadsName || f.Any(p => !MethodRegistry.IsDense(p.Method) && !MethodRegistry.IsDense(p.DecodeMethod)));

    /// <summary>The protocol in brackets where the report holds several of one task and length; else nothing.</summary>
    public string ProtocolOf(string task, int length, string protocol)
    {
        bool alone = protocol.Length == 0 || Rows.Where(r => r.Task == task && r.SequenceLength == length).All(r => Protocol.Describe(r) == protocol);
        return alone ? "" : $" ({protocol})";
    }

    /// <summary>What the run's folder says it is; null where there is none.</summary>
    public static JsonObject? Identity(SparseAttentionResult row)
    {
        try
        {
            return row.Path is { Length: > 0 } path && Directory.Exists(path) ? new RunDirectory(path).ReadSpecification()?.Identity : null;
        }
        catch (SparseFrontierException)
        {
            // The row itself was readable; what describes it further is left out.
            return null;
        }
    }

    // A report travels: folders of the machine that made it stay there.
    private static string WithoutFolders(string message, IReadOnlyList<SparseAttentionResult> rows) => rows
        .Select(r => r.Path).OfType<string>().Where(p => p.Length > 1).Distinct()
        .Aggregate(message, (text, path) => text.Replace(path, Path.GetFileName(Path.TrimEndingDirectorySeparator(path)), StringComparison.Ordinal));

    private sealed class Collector : IPipelineSink
    {
        public List<object> Objects { get; } = [];

        public List<string> Warnings { get; } = [];

        public void Object(object value) => Objects.Add(value);

        public void Error(SparseFrontierException error) => Warnings.Add(error.Message);

        public void Warning(string message) => Warnings.Add(message);

        public void Verbose(string message)
        {
        }

        public void Information(string message)
        {
        }

        public void Progress(ProgressUpdate update)
        {
        }

        public bool ShouldProcess(string target, string action) => true;
    }
}
