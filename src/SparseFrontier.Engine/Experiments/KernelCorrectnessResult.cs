namespace SparseFrontier;

/// <summary>One comparison of a kernel with its reference, as <c>Test-KernelCorrectness</c> and <c>sparsefrontier kernels test</c> show it.</summary>
public sealed class KernelCorrectnessResult
{
    /// <summary>Kernel.</summary>
    public string Kernel { get; init; } = "";

    /// <summary>Device.</summary>
    public string Device { get; init; } = "";

    /// <summary>The case: shapes, types, selection.</summary>
    public string Case { get; init; } = "";

    /// <summary>Largest absolute difference.</summary>
    public double MaximumError { get; init; }

    /// <summary>Largest difference allowed.</summary>
    public double Tolerance { get; init; }

    /// <summary>Whether the difference is within the tolerance.</summary>
    public bool Passed { get; init; }

    /// <summary>Seed of the inputs.</summary>
    public long Seed { get; init; }

    /// <inheritdoc/>
    public override string ToString() => $"{Kernel} {Case}: {(Passed ? "passed" : "failed")}";
}
