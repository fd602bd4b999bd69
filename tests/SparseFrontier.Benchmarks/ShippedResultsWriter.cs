using System.Globalization;
using System.Text.Json;
using SparseFrontier.Analysis;
using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Operations;
using static System.FormattableString;

namespace SparseFrontier.Benchmarks;

/// <summary>Puts rows of runs and measured kernels together as the file that docs/findings.md is written from and the engine advises from; README.md says how it is made.</summary>
internal static class ShippedResultsWriter
{
    // Half the distance of the quartiles over the median.
    private const double LargestSpread = 0.12;

    // What was measured beside other work and in batches: speed is what the kernels say.
    private static readonly string[] s_left =
    [
        nameof(SparseAttentionResult.PrefillSeconds), nameof(SparseAttentionResult.PrefillIndexSeconds), nameof(SparseAttentionResult.PrefillAttentionSeconds), nameof(SparseAttentionResult.IndexSeconds), nameof(SparseAttentionResult.AttentionSeconds), nameof(SparseAttentionResult.DecodeSeconds), nameof(SparseAttentionResult.SequencesPerStep),
        nameof(SparseAttentionResult.ElapsedSeconds), nameof(SparseAttentionResult.Joules), nameof(SparseAttentionResult.PeakMemoryBytes), nameof(SparseAttentionResult.StartedAt),

        // What neither claims nor advice ask for.
        nameof(SparseAttentionResult.GoldLogLikelihood),
    ];

    // Four significant digits are all that claims and advice ask of these, which ask nothing of the first; the others would take tens of kilobytes.
    private static readonly (string Name, string Format)[] s_rounded =
    [
        (nameof(SparseAttentionResult.DivergenceToDense), "G2"), (nameof(SparseAttentionResult.ForcedShare), "G4"), (nameof(SparseAttentionResult.DecodeForcedShare), "G4"),
        (nameof(SparseAttentionResult.BytesRead), "G4"), (nameof(SparseAttentionResult.CacheBytes), "G4"), (nameof(SparseAttentionResult.OutputTokenCount), "G4"), (nameof(SparseAttentionResult.DecodeOperations), "G4"),
        (nameof(SparseAttentionResult.ExecutedDensity), "G4"),
    ];

    private const string RowsPrefix = "rows:";
    private const string KernelsPrefix = "kernels:";
    private const string DevicePrefix = "device:";
    private const string KernelDevicePrefix = "kernel-device:";
    private const string UsedPrefixes = $"{RowsPrefix}PATH {KernelsPrefix}PATH {DevicePrefix}ID=NAME {KernelDevicePrefix}ID=NAME";

    /// <summary>Writes the file.</summary>
    /// <param name="output">File to write.</param>
    /// <param name="parts">
    /// "rows:PATH" for folders of runs and files of rows (their runs are numbered: ids of 16 digits would take a tenth of the file, and name folders that do not come with it), "kernels:PATH" for what `kernels measure --json` wrote and for files of rows whose kernels stay where the device was not measured anew, "device:cuda:0=NVIDIA H200" and
    /// "kernel-device:cpu=AMD EPYC" for names of devices that the rows do not tell.
    /// </param>
    public static void Write(string output, IReadOnlyList<string> parts)
    {
        if (parts.FirstOrDefault(p => !UsedPrefixes.Split(' ').Any(u => p.StartsWith(u[..(u.LastIndexOf(':') + 1)], StringComparison.Ordinal))) is { } unknown)
        {
            throw new ArgumentException($"'{unknown}' is none of {UsedPrefixes}.", nameof(parts));
        }

        // Where the same was asked twice, perhaps of two versions of a method, the one with more samples, else the one that is named first: they are of the same questions.
        SparseAttentionResult[] rows = [.. After(RowsPrefix).SelectMany(Rows).OrderByDescending(r => r.SampleCount).DistinctBy(Asked)];
        ResultSummaryHeader header = ResultSummaryFile.HeaderOf(rows);
        rows = [.. ResultSummaryFile.InOrder(rows).Select((row, i) => Small(row, Invariant($"run-{i + 1}")))];
        ResultSummary[] files = [.. After(KernelsPrefix).Where(IsPacked).Select(ResultSummaryFile.Read)];
        KernelMeasurement[] measured = [.. Quiet(After(KernelsPrefix).Where(p => !IsPacked(p)).Select(RecommendOperation.ReadKernels)).Select(k => k with { Device = DeviceOf(k.Device) })];
        KernelMeasurement[] kernels = [.. files.SelectMany(f => f.Kernels).Where(k => !measured.Any(m => m.Device == k.Device)), .. measured];
        ResultSummaryFile.Write(output, new ResultSummary(
            header with
            {
                Description = "Runs of the embedded models with the score of every sample, and kernels of their layers' shape. docs/analysis.md says how they were made.",
                Devices = Names(header.Devices, DevicePrefix),
                KernelDevices = Names(files.SelectMany(f => f.Header.KernelDevices).DistinctBy(d => d.Key), KernelDevicePrefix),
            },
            rows,
            kernels));
        Console.WriteLine(Invariant($"{rows.Length} runs, {kernels.Length} kernels, {new FileInfo(output).Length} bytes"));

        IEnumerable<string> After(string prefix) => parts.Where(p => p.StartsWith(prefix, StringComparison.Ordinal)).Select(p => p[prefix.Length..]);

        SortedDictionary<string, string> Names(IEnumerable<KeyValuePair<string, string>> known, string prefix)
        {
            var names = new SortedDictionary<string, string>(known.ToDictionary(), StringComparer.Ordinal);
            foreach (string[] name in After(prefix).Select(p => p.Split('=', 2)))
            {
                names[name[0]] = name[1];
            }

            return names;
        }
    }

    // What a run was asked; the budget is in it where no sparsity was asked for.
    private static object Asked(SparseAttentionResult row) => (
        (row.Model, row.CacheType, row.Task, row.SequenceLength, row.Seed, Protocol.Key(row)),
        (row.Method, row.RequestedSparsity, Budget: row.RequestedSparsity is null ? row.Parameters : ""),
        (row.DecodeMethod, row.RequestedDecodeSparsity, Budget: row.RequestedDecodeSparsity is null ? row.DecodeParameters : ""),
        (FixedParameters.Of(row), row.BudgetSchedule, row.AllowDenseFallback));

    // `kernels measure --json` writes plain lines.
    private static bool IsPacked(string path) => path.EndsWith(".gz", StringComparison.Ordinal) || path.EndsWith(".br", StringComparison.Ordinal);

    private static IEnumerable<SparseAttentionResult> Rows(string path) => ResultSummaryFile.IsSummary(path)
        ? ResultSummaryFile.Read(path).Rows
        : new ResultStore(path).Runs().Select(d => d.ReadRow(Console.WriteLine)).OfType<SparseAttentionResult>();

    // Of measurements of one kernel the steadiest, by its own spread or that of the dense kernel beside it; none where all were disturbed, by their spread or because they are faster than what is left out explains. A file that was measured in several calls has the dense kernel several times.
    private static IEnumerable<KernelMeasurement> Quiet(IEnumerable<IReadOnlyList<KernelMeasurement>> files) => files
        .SelectMany(file => file.Where(k => k.SpeedUp > 0 && k.SpeedUp <= k.IdealSpeedUp && k.RequestedSparsity is not null).Select(k => (
            Kernel: k,
            Spread: file.Where(d => d.Phase == k.Phase && d.SequenceLength == k.SequenceLength && d.RequestedSparsity is null).Append(k).Max(d => d.Spread ?? 0))))
        .GroupBy(k => (k.Kernel.Phase, k.Kernel.Method, Parameters: FixedParameters.Of(k.Kernel.Phase, k.Kernel.Method, k.Kernel.Parameters), Device: DeviceOf(k.Kernel.Device), k.Kernel.SequenceLength, k.Kernel.RequestedSparsity))
        .Select(g => g.MinBy(k => k.Spread)).Where(k => k.Spread <= LargestSpread).Select(k => k.Kernel);

    // Which of a machine's GPUs it was is of no use elsewhere.
    private static string DeviceOf(string device) => string.Join(',', device.Split(',').Select(d => d.StartsWith("cuda", StringComparison.Ordinal) && !d.Contains('+', StringComparison.Ordinal) ? "cuda:0" : d).Distinct());

    private static SparseAttentionResult Small(SparseAttentionResult row, string id)
    {
        var node = JsonSerializer.SerializeToNode(row, StoreJson.Line)!.AsObject();
        Array.ForEach(s_left, name => node[name] = null);
        foreach ((string name, string format) in s_rounded.Where(r => node[r.Name] is not null))
        {
            node[name] = double.Parse(node[name]!.GetValue<double>().ToString(format, CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
        }

        node[nameof(SparseAttentionResult.RunId)] = id;
        node[nameof(SparseAttentionResult.Device)] = DeviceOf(row.Device);
        SparseAttentionResult small = node.Deserialize<SparseAttentionResult>(StoreJson.Line)!;
        small.Samples = row.Samples;
        return small;
    }
}
