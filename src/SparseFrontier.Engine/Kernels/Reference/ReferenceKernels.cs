namespace SparseFrontier.Kernels.Reference;

/// <summary>
/// Every operation as its formula reads: scalar loops on one thread, double accumulation, no tiling. What all other back ends are compared
/// with; also selectable (<c>SPARSEFRONTIER_KERNEL=Reference</c>) to rule out a fast kernel as the cause of a result.
/// </summary>
public unsafe partial class ReferenceKernels : KernelSet
{
    /// <inheritdoc/>
    public override string Name => "Reference";
}
