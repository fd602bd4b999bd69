using System.Numerics;

namespace SparseFrontier.Kernels.Reference;

/// <summary>
/// Every operation as its formula reads: scalar loops on one thread, double accumulation, no tiling. What all other back ends are compared
/// with; also selectable (<c>SPARSEFRONTIER_KERNEL=Reference</c>) to rule out a fast kernel as the cause of a result.
/// </summary>
public class ReferenceKernels : ReferenceKernels<double>
{
    /// <inheritdoc/>
    public override string Name => "Reference";
}

/// <summary>The formulas in one number type: <see cref="ReferenceKernels"/> in double; in float the plain computation whose error fast kernels may make twice.</summary>
/// <typeparam name="TNumber">What is computed in; operands and results are float32 or narrower.</typeparam>
public abstract unsafe partial class ReferenceKernels<TNumber> : KernelSet
    where TNumber : struct, IBinaryFloatingPointIeee754<TNumber>
{
    /// <summary>A softmax weight as it goes into the product with the values.</summary>
    private protected virtual TNumber StoreWeight(TNumber weight) => weight;

    private static TNumber Number(double value) => TNumber.CreateTruncating(value);

    private static float Narrow(TNumber value) => float.CreateTruncating(value);
}
