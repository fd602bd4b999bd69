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
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken) => throw new NotImplementedException();
}
