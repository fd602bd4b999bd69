namespace SparseFrontier;

/// <summary>One kernel on one shape, compared with the reference kernels on the same random inputs.</summary>
public sealed class KernelCorrectnessResult
{
    /// <summary>Operation, such as "MatMul".</summary>
    public string Kernel { get; init; } = "";

    /// <summary>Kernel set that was tested, such as "Cpu".</summary>
    public string Backend { get; init; } = "";

    /// <summary>Sizes and options of the case.</summary>
    public string Shape { get; init; } = "";

    /// <summary>Element type: of the weights where there are some, else F32.</summary>
    public string DataType { get; init; } = "";

    /// <summary>Largest |difference| of an element of the output that comes nearest to what is allowed, or most beyond it; NaN where the kernel left an element unwritten or wrote beyond its output.</summary>
    public double MaximumAbsoluteError { get; init; }

    /// <summary>Largest |difference| / max(s, |reference|) of an element of that output; s is the root mean square of its elements.</summary>
    public double MaximumRelativeError { get; init; }

    /// <summary>What <see cref="MaximumRelativeError"/> may be at most: twice that of the formula computed plainly in the kernel's precision (on the same inputs; where the kernel exceeds it, the largest over up to three further draws of the shape as well), and a few units of the last place.</summary>
    public double Tolerance { get; init; }

    /// <summary>Whether it was within the tolerance.</summary>
    public bool Passed { get; init; }

    /// <summary>Seed of the inputs.</summary>
    public long Seed { get; init; }

    /// <inheritdoc/>
    public override string ToString() =>
        FormattableString.Invariant($"{(Passed ? "passed" : "FAILED")} {Backend} {Kernel} {DataType} {Shape}: {MaximumRelativeError:E1} (tolerance {Tolerance:E1})");
}
