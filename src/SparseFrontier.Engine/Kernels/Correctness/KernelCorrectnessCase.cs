using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels;

/// <summary>One operation on one shape.</summary>
/// <param name="Kernel">Operation.</param>
/// <param name="Shape">Sizes and options.</param>
/// <param name="DataType">Element type of the weights, else F32.</param>
/// <param name="Tolerance">Largest |difference| / max(1, |reference|) that passes.</param>
/// <param name="Execute">Draws the inputs and returns all outputs that the kernel set gives.</param>
public sealed record KernelCorrectnessCase(
    string Kernel, string Shape, DataType DataType, double Tolerance, Func<KernelSet, RandomSource, float[]> Execute);
