using SparseFrontier.Kernels;
using SparseFrontier.Kernels.Cpu;

namespace SparseFrontier.Tests.Kernels;

/// <summary>The CPU kernels of each vector width; widths that the machine lacks run emulated.</summary>
internal static class KernelWidths
{
    private static readonly IReadOnlyList<KernelSet> s_sets = CpuKernels.CreateAllWidths();

    public static int[] All => [512, 256, 128];

    public static KernelSet Get(int width) => s_sets[width switch { 512 => 0, 256 => 1, _ => 2 }];
}
