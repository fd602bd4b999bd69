using System.Diagnostics;
using SparseFrontier.Kernels;
using SparseFrontier.Tensors;

namespace SparseFrontier.Experiments.Operations;

/// <summary>
/// Compares the fast kernels with the reference ones and emits a <see cref="KernelCorrectnessResult"/> per case, or one Boolean.
/// </summary>
public sealed class TestKernelCorrectnessOperation
{
    /// <summary>Kernels; wildcards match. Empty: all.</summary>
    public IReadOnlyList<string> Kernel { get; init; } = [];

    /// <summary>Device to test.</summary>
    public string Device { get; init; } = "cpu";

    /// <summary>Seed of the random inputs.</summary>
    public long Seed { get; init; } = 1;

    /// <summary>Whether to emit only whether all cases passed.</summary>
    public bool Quiet { get; init; }

    /// <summary>Runs the cases; a name or a pattern of no kernel is the error KernelNotFound on the sink.</summary>
    /// <exception cref="SparseFrontierException">DeviceNotFound.</exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        Devices.Require(Device);
        KernelSet[] sets = KernelSetsOfDevice();
        string[] kernels = [.. KernelCorrectness.Cases.Select(c => c.Kernel).Distinct().Where(k => sets.Any(s => s.RunsOnDevice(k)))];

        // Wildcards too: a test of nothing is not passed.
        foreach (string name in Kernel.Where(k => !kernels.Any(n => NameMatcher.Matches(n, k))))
        {
            sink.Error(new SparseFrontierException(
                ErrorIds.KernelNotFound, NameMatcher.IsPattern(name) ? $"No kernel of {Device} matches '{name}'. Known: {string.Join(", ", kernels)}." : $"There is no kernel '{name}' of {Device}. {NameMatcher.Suggestion(name, kernels)}", name));
        }

        (KernelSet Set, KernelCorrectnessCase Case)[] cases =
        [
            .. from set in sets
               from test in KernelCorrectness.Cases
               where set.RunsOnDevice(test.Kernel) && (Kernel.Count == 0 || Kernel.Any(k => NameMatcher.Matches(test.Kernel, k)))
               select (set, test),
        ];
        bool passed = cases.Length > 0;
        var stopwatch = Stopwatch.StartNew();
        for (int i = 0; i < cases.Length; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            sink.Progress(ProgressUpdate.At("Kernel correctness", cases[i].Case.Kernel, i / (double)cases.Length, stopwatch.Elapsed));
            KernelCorrectnessResult result = KernelCorrectness.Run(cases[i].Set, cases[i].Case, Seed);
            passed &= result.Passed;
            if (!Quiet)
            {
                sink.Object(result);
            }
        }

        sink.Progress(new ProgressUpdate(1, "Kernel correctness", "Done", 100, Completed: true));
        if (Quiet)
        {
            sink.Object(passed);
        }
    }

    // A GPU's kernels in both types that it stores.
    private KernelSet[] KernelSetsOfDevice() => Devices.CudaOrdinal(Device) is null
        ? [KernelSets.Default]
        : [Devices.Kernels(Device, DataType.BF16), Devices.Kernels(Device, DataType.F16)];
}
