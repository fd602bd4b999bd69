using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels;

/// <summary>One operation on one shape.</summary>
/// <param name="Kernel">Operation.</param>
/// <param name="Shape">Sizes and options.</param>
/// <param name="DataType">Element type of the weights, else F32.</param>
/// <param name="Execute">Draws the inputs and returns all outputs that the kernel set gives, array by array.</param>
public sealed record KernelCorrectnessCase(
    string Kernel, string Shape, DataType DataType, Func<KernelSet, RandomSource, float[][]> Execute)
{
    /// <summary>Whether nothing is rounded but single sums, so that there is one right result.</summary>
    public bool IsExact { get; init; }
}
