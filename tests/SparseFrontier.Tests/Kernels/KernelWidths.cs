using System.Runtime.Intrinsics;
using SparseFrontier.Kernels;
using SparseFrontier.Kernels.Cpu;

namespace SparseFrontier.Tests.Kernels;

/// <summary>The CPU kernels of each vector width; widths that the machine lacks run emulated, and so does NEON: 128 bits and 32 registers.</summary>
internal static class KernelWidths
{
    /// <summary>128 bits with as many registers as ARM has, for which tiles are larger than a vector.</summary>
    public const int Neon = -128;

    private static readonly IReadOnlyList<KernelSet> s_sets = [.. CpuKernels.CreateAllWidths(), new CpuKernels<NeonSimd, Vector128<float>>()];

    public static int[] All => [512, 256, 128, Neon];

    public static KernelSet Get(int width) => s_sets[width switch { 512 => 0, 256 => 1, Neon => 3, _ => 2 }];
}
