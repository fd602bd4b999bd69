using SparseFrontier.Kernels;

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

    /// <summary>Runs the cases; a kernel that matches nothing is the error KernelNotFound on the sink.</summary>
    /// <exception cref="SparseFrontierException">DeviceNotFound.</exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        Devices.RequireForModels(Device);
        string[] kernels = [.. KernelCorrectness.Cases.Select(c => c.Kernel).Distinct()];
        foreach (string name in Kernel.Where(k => !NameMatcher.IsPattern(k) && !kernels.Contains(k, StringComparer.OrdinalIgnoreCase)))
        {
            sink.Error(new SparseFrontierException(ErrorIds.KernelNotFound, $"There is no kernel '{name}'. {NameMatcher.Suggestion(name, kernels)}", name));
        }

        KernelCorrectnessCase[] cases = [.. KernelCorrectness.Cases.Where(c => Kernel.Count == 0 || Kernel.Any(k => NameMatcher.Matches(c.Kernel, k)))];
        bool passed = cases.Length > 0;
        for (int i = 0; i < cases.Length; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            sink.Progress(new ProgressUpdate(1, "Kernel correctness", cases[i].Kernel, 100.0 * i / cases.Length));
            KernelCorrectnessResult result = KernelCorrectness.Run(KernelSets.Default, cases[i], Seed);
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
}
