using System.Globalization;
using SparseFrontier.Analysis;
using SparseFrontier.Attention;

namespace SparseFrontier.Experiments;

/// <summary>Seconds to expect, or why none are named.</summary>
/// <param name="Prefill">Of a prompt.</param>
/// <param name="OutputToken">Of an output token.</param>
/// <param name="OutputTokens">Output tokens of a sample, as measured on the task; null where it was not run.</param>
/// <param name="Message">What it is taken from, or why there is none.</param>
internal sealed record PredictedTime(double? Prefill, double? OutputToken, double? OutputTokens, string Message);

/// <summary>
/// Predicts what runs take from what runs took on this machine: measured seconds over the operations (prefill) or the bytes (a step) that the exact cost model computes,
/// between measured lengths and densities by interpolation of logarithms. Where that was not found to hold within 15 %, nothing is predicted: on a GPU, where lengths or
/// densities lie further apart, and where the steps of a sweep are shared by another number of runs. docs/analysis.md has the errors that were found.
/// </summary>
internal sealed class RunTimes
{
    // Seconds an operation change slowly, but not predictably beyond what was measured: a tenth of an octave counts as there.
    private static readonly double s_near = Math.Log(2) / 10;

    // Lengths and densities between which errors were measured lie two octaves and a factor of three apart at most.
    private static readonly double s_farthestLength = Math.Log(4) + s_near;
    private static readonly double s_farthestDensity = Math.Log(3) + (2.5 * s_near);

    // Runs that are read at most, the newest: a folder may hold ten thousand, on a slow share.
    private const int Newest = 200;

    private readonly IReadOnlyList<SparseAttentionResult> _rows;
    private readonly string _where;
    private readonly PairedScores _samples = new();
    private readonly Dictionary<SparseAttentionResult, (double? Prefill, double? OutputToken)> _times = [];

    // The runs that shared a row's steps, itself among them; without the rows of which that is not known.
    private readonly Dictionary<SparseAttentionResult, SparseAttentionResult[]> _companions;

    private RunTimes(IReadOnlyList<SparseAttentionResult> rows, string where, Func<SparseAttentionResult, string?> processOf)
    {
        (_rows, _where) = (rows, where);

        // A sample's sequences of all runs of its cell generate side by side, and the time of a step is divided among them. A run that was resumed shared its steps with other runs than before,
        // and companions may be gone: more sequences were in a step than there are runs.
        ILookup<bool, SparseAttentionResult> alone = rows.ToLookup(r => r.SequencesPerStep == 1);
        _companions = alone[false].Where(r => processOf(r) is not null)
            .GroupBy(row => string.Create(CultureInfo.InvariantCulture, $"{row.Model}\u001f{row.Device}\u001f{row.Task}\u001f{row.SequenceLength}\u001f{row.Seed}\u001f{Protocol.Key(row)}\u001f{processOf(row)}"))
            .SelectMany(g => g.Where(r => !(r.SequencesPerStep > g.Count())).Select(r => (Row: r, All: g.ToArray())))
            .Concat(alone[true].Select(r => (Row: r, All: new[] { r })))
            .ToDictionary(p => p.Row, p => p.All);
    }

    /// <summary>Of rows that were all measured here by one process.</summary>
    /// <param name="rows">Rows.</param>
    /// <param name="where">Where they are, for messages.</param>
    public static RunTimes Of(IEnumerable<SparseAttentionResult> rows, string where) => Of(rows, where, _ => "");

    /// <summary>Of the newest runs of a folder of results, but for those of other machines; none where there is no folder.</summary>
    /// <param name="path">The folder; empty: where results go when none is named.</param>
    public static RunTimes Read(string path)
    {
        string folder = new ResultStore(path).Path;
        string[] runs = [];
        try
        {
            // Their names begin with the time.
            runs = Directory.Exists(folder) ? [.. Directory.GetDirectories(folder).OrderByDescending(d => d, StringComparer.Ordinal).Take(Newest)] : [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Then nothing is predicted; what is to be written there will say why it cannot.
        }

        (SparseAttentionResult? Row, string? Process)[] read = [.. runs.Select(r => new RunDirectory(r)).Where(IsOfThisMachine).Select(d => (Row(d), ProcessOf(d)))];
        var processes = read.Where(r => r.Row is not null).ToDictionary(r => r.Row!, r => r.Process);
        return Of(processes.Keys, $"'{folder}'", row => processes[row]);
    }

    private static RunTimes Of(IEnumerable<SparseAttentionResult> rows, string where, Func<SparseAttentionResult, string?> processOf) =>
        new([.. rows.Where(r => r is { Status: RunStatus.Completed, FallbackCount: 0, PrefillSeconds: > 0 } && r.BudgetSchedule.Length == 0 && HasKnownMethods(r))], where, processOf);

    // Of a run that several attempts worked on, none: their steps were shared by different runs.
    private static string? ProcessOf(RunDirectory directory) => directory.ReadAttempts() is [{ } attempt]
        ? string.Create(CultureInfo.InvariantCulture, $"{attempt.Host}:{attempt.ProcessId}")
        : null;

    /// <summary>Predicts a run.</summary>
    /// <param name="shape">Sizes of the model.</param>
    /// <param name="run">What would run, with the sparsities that are expected: a row without scores and times.</param>
    /// <param name="companions">How many runs of its cell would generate side by side, itself among them.</param>
    public PredictedTime Predict(ModelShape shape, SparseAttentionResult run, int companions)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(run);
        if (run.Device.StartsWith("cuda", StringComparison.OrdinalIgnoreCase))
        {
            return new PredictedTime(null, null, null, "Seconds are predicted for a processor alone: on a GPU several samples share a step, and what a step takes depends on how many.");
        }

        SparseAttentionResult[] rows = [.. _rows.Where(r => r.Model == run.Model && r.Device == run.Device)];
        if (rows.Length == 0)
        {
            return new PredictedTime(null, null, null, $"No run of {run.Model} was measured on {run.Device} of this machine in {_where}.");
        }

        var cost = new RequestCost(shape, 1, 1);
        double? tokens = Mean(Prefer(rows.Where(r => r.Task == run.Task), r => Same(r.Method, run.Method) && Same(r.DecodeMethod, run.DecodeMethod)).Select(r => r.OutputTokenCount));
        (double? prefill, string noPrefill) = Seconds(
            Prefer(rows.Where(r => Same(r.Method, run.Method)), r => Same(r.DecodeMethod, run.DecodeMethod)), run, r => cost.Of(r, RequestCost.PrefillFlopsName), r => TimesOf(r).Prefill, r => 1 - r.PrefillSparsity, run.Method);
        SparseAttentionResult[] steps = [.. rows.Where(r => Same(r.DecodeMethod, run.DecodeMethod) && r.OutputTokenCount > 0)];
        SparseAttentionResult[] shared = [.. steps.Where(r => _companions.GetValueOrDefault(r)?.Length == companions)];
        (double? token, string noToken) = steps.Length > 0 && shared.Length == 0 ? (null, Unshared(steps, run, companions)) : Seconds(
            Prefer(shared, r => Same(r.Method, run.Method)),
            run,
            r => cost.Of(r, RequestCost.DecodeBytesName),
            OutputTokenOf,
            r => 1 - (r.CacheSparsity ?? r.DecodeSparsity),
            run.DecodeMethod);
        string reason = prefill is null ? noPrefill : token is null ? noToken : FormattableString.Invariant($"from {Counted.Of(rows.Length, "run")} measured on this machine");
        return new PredictedTime(prefill, token, tokens, reason);
    }

    /// <summary>What a row measured, as a prediction means it: medians over its samples where they are here, of an output token the mean over the runs that shared its steps.</summary>
    internal (double? Prefill, double? OutputToken) Measured(SparseAttentionResult row) => (TimesOf(row).Prefill, OutputTokenOf(row));

    // Steps are shared by runs that end at different tokens, and some runs may have been left over for steps of their own: only their mean can be expected again.
    private double? OutputTokenOf(SparseAttentionResult row) => Mean(_companions.GetValueOrDefault(row, []).Select(r => TimesOf(r).OutputToken));

    private string Unshared(SparseAttentionResult[] rows, SparseAttentionResult run, int companions)
    {
        int[] numbers = [.. rows.Select(r => _companions.GetValueOrDefault(r)?.Length).OfType<int>().Distinct().Order()];
        return numbers.Length == 0
            ? $"Steps of {run.DecodeMethod} were measured only in runs of {run.Model} that were resumed, or whose companions are not here: with how many others they were shared is not known, and what a token takes depends on that."
            : string.Create(
                CultureInfo.InvariantCulture,
                $"Steps of {run.DecodeMethod} were measured with other numbers of runs of {run.Model} side by side ({string.Join(", ", numbers)}) than {companions}: what a token takes depends on that.");
    }

    // Medians over samples where they are here: other work on the machine makes some samples slow, and with them the mean.
    private (double? Prefill, double? OutputToken) TimesOf(SparseAttentionResult row)
    {
        if (!_times.TryGetValue(row, out (double? Prefill, double? OutputToken) times))
        {
            times = (row.PrefillSeconds, row.DecodeSeconds / row.OutputTokenCount);
            IReadOnlyList<SampleResult> samples = SamplesOf(row);
            times = (Median(samples.Select(s => s.PrefillSeconds)) ?? times.Prefill, Median(samples.Where(s => s.OutputTokenCount > 0).Select(s => s.DecodeSeconds / s.OutputTokenCount)) ?? times.OutputToken);

            _times.Add(row, times);
        }

        return times;
    }

    private IReadOnlyList<SampleResult> SamplesOf(SparseAttentionResult row)
    {
        try
        {
            return PairedScores.AreHere(row) ? _samples.Of(row) : [];
        }
        catch (SparseFrontierException e) when (PairedScores.IsOfData(e))
        {
            // What is wrong with them is said where they are read for their scores.
            return [];
        }
    }

    private static double? Median(IEnumerable<double?> values)
    {
        double[] known = [.. values.OfType<double>().Order()];
        return known.Length == 0 ? null : (known[(known.Length - 1) / 2] + known[known.Length / 2]) / 2;
    }

    // A user's own method may not be registered now, or as one of the other phase.
    private static bool HasKnownMethods(SparseAttentionResult row) => MethodLookup.Prefill(row.Method) is not null && MethodLookup.Decode(row.DecodeMethod) is not null;

    private static SparseAttentionResult? Row(RunDirectory directory)
    {
        try
        {
            return directory.ReadRow(_ => { });
        }
        catch (SparseFrontierException e) when (e.ErrorId is ErrorIds.ResultRowInvalid or ErrorIds.ResultUnreadable)
        {
            return null;
        }
    }

    private static bool IsOfThisMachine(RunDirectory directory) => directory.ReadAttempts() is { Count: > 0 } attempts
        && attempts.All(a => a.Host == Environment.MachineName && a.Processor == HostInformation.ProcessorName && a.ProcessorCount == Environment.ProcessorCount);

    private (double? Seconds, string Reason) Seconds(
        SparseAttentionResult[] rows,
        SparseAttentionResult run,
        Func<SparseAttentionResult, double?> cost,
        Func<SparseAttentionResult, double?> seconds,
        Func<SparseAttentionResult, double?> density,
        string method)
    {
        if (density(run) is not ({ } wanted and > 0) || cost(run) is not { } operations)
        {
            return (null, $"What {method} will leave out is known only when it runs.");
        }

        var points = rows.Select(r => (r.SequenceLength, Density: density(r), Rate: seconds(r) / cost(r))).Where(p => p.Density > 0 && p.Rate > 0 && double.IsFinite(p.Rate.Value)).ToArray();
        if (points.Length == 0)
        {
            return (null, $"{method} was not measured on {run.Device} of this machine in {_where}.");
        }

        (double X, double Y)[] lengths =
        [
            .. points.GroupBy(p => p.SequenceLength)
                .Select(g => (X: Math.Log(g.Key), Y: LogarithmicTable.At(Means(g.Select(p => (Math.Log(p.Density!.Value), Math.Log(p.Rate!.Value)))), Math.Log(wanted), 2.5 * s_near, s_farthestDensity)))
                .Where(p => p.Y is not null)
                .Select(p => (p.X, p.Y!.Value)),
        ];
        return LogarithmicTable.At(lengths, Math.Log(run.SequenceLength), s_near, s_farthestLength) is { } rate
            ? (Math.Exp(rate) * operations, "")
            : (null, FormattableString.Invariant(
                $"{method} was measured at {string.Join(", ", points.Select(p => p.SequenceLength).Distinct().Order())} tokens, not on both sides of {run.SequenceLength} near this sparsity (at most two octaves of the length and a factor of 3 of what is kept apart); nothing is predicted beyond what was measured."));
    }

    // Of evictions that share a prompt the first makes what the others use too: the mean is what each costs.
    private static (double X, double Y)[] Means(IEnumerable<(double X, double Y)> points) => [.. points.GroupBy(p => Math.Round(p.X, 3)).Select(g => (g.Average(p => p.X), g.Average(p => p.Y)))];

    private static SparseAttentionResult[] Prefer(IEnumerable<SparseAttentionResult> rows, Func<SparseAttentionResult, bool> better)
    {
        SparseAttentionResult[] all = [.. rows];
        SparseAttentionResult[] best = [.. all.Where(better)];
        return best.Length > 0 ? best : all;
    }

    private static bool Same(string first, string second) => (MethodRegistry.IsDense(first) && MethodRegistry.IsDense(second)) || first.Equals(second, StringComparison.OrdinalIgnoreCase);

    private static double? Mean(IEnumerable<double?> values) => values.OfType<double>().ToArray() is { Length: > 0 } known ? known.Average() : null;
}
