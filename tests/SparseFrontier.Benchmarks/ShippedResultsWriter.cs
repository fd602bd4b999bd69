using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using SparseFrontier.Attention;
using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Operations;

namespace SparseFrontier.Benchmarks;

/// <summary>Makes the summary that comes with the engine from a folder of runs and files of kernels; README.md says how they are made.</summary>
internal static class ShippedResultsWriter
{
    /// <summary>Fewest samples of a cell: with fewer hardly anything can be shown.</summary>
    private const int MinimumSamples = 30;

    // Half the distance of the quartiles over the median.
    private const double LargestSpread = 0.12;

    private const string KernelPrefix = "kernels:";

    // What was measured beside other work, or is of no use without outputs.
    private static readonly string[] s_left =
    [
        nameof(SparseAttentionResult.PrefillSeconds), nameof(SparseAttentionResult.IndexSeconds), nameof(SparseAttentionResult.AttentionSeconds), nameof(SparseAttentionResult.DecodeSeconds),
        nameof(SparseAttentionResult.ElapsedSeconds), nameof(SparseAttentionResult.Joules), nameof(SparseAttentionResult.PeakMemoryBytes), nameof(SparseAttentionResult.StartedAt),
        nameof(SparseAttentionResult.Path), nameof(SparseAttentionResult.NominalSparsity), nameof(SparseAttentionResult.NominalDecodeSparsity),
    ];

    /// <summary>Writes the summary.</summary>
    /// <param name="results">Folder of runs.</param>
    /// <param name="output">File to write.</param>
    /// <param name="others">Files of `kernels measure --json`, and names of devices as "cuda:0=NVIDIA H200", those of kernels as "kernels:cpu=AMD EPYC".</param>
    public static void Write(string results, string output, IReadOnlyList<string> others)
    {
        var rows = new List<SparseAttentionResult>();
        var checkpoints = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var versions = new SortedSet<string>(StringComparer.Ordinal);
        DateTimeOffset first = DateTimeOffset.MaxValue;
        (RunDirectory Directory, StoredSpecification Stored)[] runs = [.. new ResultStore(results).Runs().Select(d => (d, d.ReadSpecification()!))];
        foreach (var cell in runs.GroupBy(r => (Model: ModelCatalog.NameOf(r.Stored.Specification.Model), r.Stored.Specification.Task, r.Stored.Specification.SequenceLength, r.Stored.Specification.Seed, r.Stored.Specification.MaximumOutputTokens)).OrderBy(c => c.Key))
        {
            // The samples that all runs of the cell have, from the first on: they are paired.
            (StoredSpecification Stored, SortedDictionary<int, SampleResult> Samples)[] all =
                [.. cell.Select(r => (r.Stored, Samples: r.Directory.ReadSamples(r.Stored.RunId, _ => { }))).Where(r => r.Samples.Count > 0)];
            int shared = all.Length == 0 ? 0 : Enumerable.Range(0, int.MaxValue).First(i => !all.All(r => r.Samples.TryGetValue(i, out SampleResult? s) && s.Score is not null && s.GoldJson == all[0].Samples[i].GoldJson));
            string name = FormattableString.Invariant($"{cell.Key.Model} {cell.Key.Task} {cell.Key.SequenceLength}");
            if (shared < MinimumSamples)
            {
                Console.WriteLine($"{name}: left out, {shared} samples of {all.Length} runs");
                continue;
            }

            Console.WriteLine($"{name}: {shared} samples of {all.Length} runs");
            foreach ((StoredSpecification stored, SortedDictionary<int, SampleResult> samples) in all)
            {
                SampleResult[] taken = [.. samples.Values.Take(shared)];
                SparseAttentionResult row = Small(RunSummary.Create(stored, taken, RunStatus.Completed), Largest(taken, s => s.Parameters, MethodLookup.Prefill(stored.Specification.Method)), Largest(taken, s => s.DecodeParameters, MethodLookup.Decode(stored.Specification.DecodeMethod)));
                row.Samples = taken;
                rows.Add(row);
                checkpoints[row.Model] = (string?)stored.Identity?["Checkpoint"] ?? "";
                versions.Add(stored.ModuleVersion);
                first = stored.CreatedAt < first ? stored.CreatedAt : first;
            }
        }

        string[] files = [.. others.Where(o => !o.Contains('=', StringComparison.Ordinal))];
        var summary = new ShippedResults(
            new ShippedHeader
            {
                Format = ShippedResults.CurrentFormat,
                Description = "Runs of the embedded models with the score of every sample, and kernels of their layers' shape. docs/analysis.md says how they were made.",
                ModuleVersion = string.Join(", ", versions.Select(v => v.Split('+') is [var version, { Length: > 9 } commit] ? $"{version} ({commit[..9]})" : v)),
                Date = first.UtcDateTime.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
                Devices = Names(""),
                KernelDevices = Names(KernelPrefix),
                Checkpoints = checkpoints,
            },
            rows,
            [.. Quiet(files.Select(RecommendOperation.ReadKernels)).Select(Rounded)]);
        SortedDictionary<string, string> Names(string prefix) => new(
            others.Except(files).Where(o => o.StartsWith(KernelPrefix, StringComparison.Ordinal) == (prefix.Length > 0)).Select(o => o[prefix.Length..].Split('=', 2)).ToDictionary(p => p[0], p => p[1]), StringComparer.Ordinal);
        using FileStream stream = File.Create(output);
        summary.Write(stream);
        Console.WriteLine(FormattableString.Invariant($"{rows.Count} runs, {summary.Kernels.Count} kernels, {stream.Length} bytes"));
    }

    // Of measurements of one kernel the steadiest, by its own spread or that of the dense kernel beside it; none where all were disturbed, by their spread or because they are faster than what is left out explains. A file that was measured in several calls has the dense kernel several times.
    private static IEnumerable<KernelMeasurement> Quiet(IEnumerable<IReadOnlyList<KernelMeasurement>> files) => files
        .SelectMany(file => file.Where(k => k.SpeedUp > 0 && k.SpeedUp <= k.IdealSpeedUp && k.RequestedSparsity is not null).Select(k => (
            Kernel: k,
            Spread: file.Where(d => d.Phase == k.Phase && d.SequenceLength == k.SequenceLength && d.RequestedSparsity is null).Append(k).Max(d => d.Spread ?? 0))))
        .GroupBy(k => (k.Kernel.Phase, k.Kernel.Method, Device: DeviceOf(k.Kernel.Device), k.Kernel.SequenceLength, k.Kernel.RequestedSparsity))
        .Select(g => g.MinBy(k => k.Spread)).Where(k => k.Spread <= LargestSpread).Select(k => k.Kernel);

    // Samples have budgets for their own length; a schedule takes the largest.
    private static string Largest(SampleResult[] samples, Func<SampleResult, string> parameters, AttentionMethod? method) =>
        samples.Select(parameters).Distinct().OrderByDescending(p => p.Length > 0 && method?.BudgetParameter is not null ? method.BudgetOf(method.CreateParameters(p)) ?? 0 : 0).First();

    private static SparseAttentionResult Small(SparseAttentionResult row, string parameters, string decodeParameters)
    {
        JsonObject node = JsonSerializer.SerializeToNode(row, StoreJson.Line)!.AsObject();
        foreach (string name in s_left)
        {
            node.Remove(name);
        }

        node[nameof(SparseAttentionResult.Device)] = DeviceOf(row.Device);
        node[nameof(SparseAttentionResult.Parameters)] = parameters;
        node[nameof(SparseAttentionResult.DecodeParameters)] = decodeParameters;
        return Round(node).Deserialize<SparseAttentionResult>(StoreJson.Line)!;
    }

    private static KernelMeasurement Rounded(KernelMeasurement kernel) => Round(JsonSerializer.SerializeToNode(kernel with { Device = DeviceOf(kernel.Device) }, StoreJson.Line)!.AsObject()).Deserialize<KernelMeasurement>(StoreJson.Line)!;

    // Which of a machine's GPUs it was is of no use elsewhere.
    private static string DeviceOf(string device) => device.StartsWith("cuda", StringComparison.Ordinal) ? "cuda:0" : device;

    // Six digits of what was measured are enough, and half of the file.
    private static JsonObject Round(JsonObject node)
    {
        foreach ((string name, JsonNode? value) in node.ToArray())
        {
            if (value is JsonValue number && number.TryGetValue(out double d) && d != Math.Round(d))
            {
                node[name] = double.Parse(d.ToString("G6", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
            }
        }

        return node;
    }
}
