using System.Diagnostics;
using SparseFrontier.Attention;
using SparseFrontier.Kernels;
using SparseFrontier.Kernels.Cuda;
using SparseFrontier.Kernels.Measurement;

namespace SparseFrontier.Experiments.Operations;

/// <summary>
/// Times methods on one attention layer over several lengths, beside dense attention, and emits a <see cref="KernelMeasurement"/> each: after
/// the last length, because the length from which on a method pays is known only then.
/// </summary>
public sealed class MeasureKernelOperation
{
    /// <summary>Methods of both phases; wildcards match all but controls. Empty: all but controls.</summary>
    public IReadOnlyList<string> Method { get; init; } = [];

    /// <summary>Lengths of the prompt, in tokens.</summary>
    public IReadOnlyList<int> SequenceLength { get; init; } = [1024, 2048, 4096, 8192, 16384];

    /// <summary>Sparsities, 0 to 1.</summary>
    public IReadOnlyList<double> Sparsity { get; init; } = [0.9];

    /// <summary>Query heads of the layer.</summary>
    public int QueryHeadCount { get; init; } = 8;

    /// <summary>KV heads of the layer; they divide the query heads.</summary>
    public int KvHeadCount { get; init; } = 2;

    /// <summary>Elements of a head's vector; a multiple of 8.</summary>
    public int HeadDimension { get; init; } = 64;

    /// <summary>Samples of each time; the median counts.</summary>
    public int IterationCount { get; init; } = 5;

    /// <summary>Device to measure.</summary>
    public string Device { get; init; } = "cpu";

    /// <summary>Seed of the random inputs.</summary>
    public long Seed { get; init; } = 1;

    /// <summary>Measures. A name that no method has is the error MethodNotFound on the sink.</summary>
    /// <exception cref="SparseFrontierException">DeviceNotFound, CudaNotInstalled, DeviceUnsupported, DeviceOutOfMemory, ParameterInvalid or SparsityOutOfRange.</exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(sink);
        Devices.Require(Device);
        CudaDevice? gpu = Devices.CudaOrdinal(Device) is int ordinal ? CudaDevice.Get(ordinal) : null;
        Check();
        AttentionMethod[] methods = FindMethods(sink);
        if (methods.Length == 0)
        {
            return;
        }

        int[] lengths = [.. SequenceLength.Distinct().Order()];
        double[] sparsities = [.. Sparsity.Distinct().Order()];
        var timer = new InterleavedTimer { Rounds = IterationCount };
        var rows = new List<KernelMeasurement>();
        var stopwatch = Stopwatch.StartNew();
        for (int i = 0; i < lengths.Length; i++)
        {
            // Dense attention grows with the square of the length, and with it the time that is left.
            double done = lengths.Take(i).Sum(n => (double)n * n) / lengths.Sum(n => (double)n * n);
            sink.Progress(ProgressUpdate.At("Measuring kernels", FormattableString.Invariant($"{lengths[i]} tokens"), done, stopwatch.Elapsed));
            var shape = new LayerShape(lengths[i], QueryHeadCount, KvHeadCount, HeadDimension, gpu?.Name ?? Device);
            if (gpu is not null)
            {
                rows.AddRange(Measure(gpu, shape, methods, sparsities, cancellationToken));
                continue;
            }

            if (methods.OfType<PrefillMethod>().ToArray() is { Length: > 0 } prefill)
            {
                using var measurement = new PrefillMeasurement(shape, KernelSets.Default, Seed, cancellationToken);
                rows.AddRange(measurement.Run(prefill, sparsities, timer, cancellationToken));
            }

            if (methods.OfType<DecodeMethod>().ToArray() is { Length: > 0 } decode)
            {
                using var measurement = new DecodeMeasurement(shape, KernelSets.Default, Seed, cancellationToken);
                rows.AddRange(measurement.Run(decode, sparsities, timer, cancellationToken));
            }
        }

        sink.Progress(new ProgressUpdate(1, "Measuring kernels", "Done", 100, Completed: true));
        foreach (string message in rows.Select(r => r.Message).OfType<string>().Distinct())
        {
            sink.Warning(message);
        }

        foreach (var series in rows.GroupBy(r => (r.Phase, r.Method, r.RequestedSparsity)))
        {
            int? crossover = series.Key.RequestedSparsity is null ? null : Crossover([.. series]);
            foreach (KernelMeasurement row in series)
            {
                sink.Object(row with { CrossoverLength = crossover });
            }
        }
    }

    /// <summary>
    /// The length from which on all measured speed-ups are at least 1, by interpolation between logarithms; the first length where they all are,
    /// null where the last is not.
    /// </summary>
    /// <param name="series">One method at one sparsity, by ascending length; lengths without a measurement do not pay.</param>
    internal static int? Crossover(IReadOnlyList<KernelMeasurement> series)
    {
        int first = series.Count;
        while (first > 0 && series[first - 1].SpeedUp >= 1)
        {
            first--;
        }

        if (first == series.Count)
        {
            return null;
        }

        if (first == 0 || series[first - 1].SpeedUp is not { } below)
        {
            return series[first].SequenceLength;
        }

        double share = -Math.Log(below) / Math.Log(series[first].SpeedUp!.Value / below);
        double shorter = series[first - 1].SequenceLength;
        return (int)Math.Round(shorter * Math.Pow(series[first].SequenceLength / shorter, share));
    }

    private List<KernelMeasurement> Measure(
        CudaDevice gpu, LayerShape shape, IReadOnlyList<AttentionMethod> methods, double[] sparsities, CancellationToken cancellationToken)
    {
        var rows = new List<KernelMeasurement>();
        if (methods.OfType<PrefillMethod>().ToArray() is { Length: > 0 } prefill)
        {
            using var measurement = new CudaPrefillMeasurement(shape, gpu, Seed, cancellationToken);
            rows.AddRange(measurement.Run(prefill, sparsities, IterationCount));
        }

        if (methods.OfType<DecodeMethod>().ToArray() is { Length: > 0 } decode)
        {
            using var measurement = new CudaDecodeMeasurement(shape, gpu, Seed, sparsities[^1], cancellationToken);
            rows.AddRange(measurement.Run(decode, sparsities, IterationCount));
        }

        return rows;
    }

    private AttentionMethod[] FindMethods(IPipelineSink sink)
    {
        var found = new List<AttentionMethod>();
        foreach (string name in Method.Count == 0 ? ["*"] : Method)
        {
            IReadOnlyList<AttentionMethod> matches = MethodRegistry.Match(name);
            if (matches.Count == 0 && !NameMatcher.IsPattern(name))
            {
                sink.Error(MethodLookup.NotFound(name, MethodRegistry.All));
            }

            found.AddRange(matches);
        }

        if (found.Count == 0 && Method.All(NameMatcher.IsPattern))
        {
            sink.Warning($"There is nothing to measure: no method matches {string.Join(" or ", Method.Select(n => $"'{n}'"))}.");
        }

        return [.. found.Distinct()];
    }

    private void Check()
    {
        Require(SequenceLength.Count > 0 && SequenceLength.All(n => n is >= 64 and <= 1 << 20), "A length is at least 64 tokens and at most 1048576.", SequenceLength);
        Require(Sparsity.Count > 0, "At least one sparsity is needed.", Sparsity);
        Require(KvHeadCount >= 1 && QueryHeadCount >= KvHeadCount && QueryHeadCount % KvHeadCount == 0, $"{QueryHeadCount} query heads are not a multiple of {KvHeadCount} KV heads.", QueryHeadCount);
        Require(HeadDimension is >= 8 and <= 512 && HeadDimension % 8 == 0, $"A head dimension of {HeadDimension} is not a multiple of 8 from 8 to 512.", HeadDimension);
        Require(IterationCount is >= 1 and <= 100_000, FormattableString.Invariant($"{IterationCount} iterations are not from 1 to 100000."), IterationCount);
        foreach (double sparsity in Sparsity)
        {
            AttentionMethod.RequireSparsity(sparsity);
        }

        static void Require(bool holds, string message, object value)
        {
            if (!holds)
            {
                throw new SparseFrontierException(ErrorIds.ParameterInvalid, message, value);
            }
        }
    }
}
