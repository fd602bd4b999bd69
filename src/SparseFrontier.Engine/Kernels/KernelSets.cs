using System.Runtime.Intrinsics;
using SparseFrontier.Kernels.Cpu;
using SparseFrontier.Kernels.Reference;

namespace SparseFrontier.Kernels;

/// <summary>The kernel sets of this process and which of them is used by default.</summary>
public static class KernelSets
{
    private static readonly Lazy<KernelSet[]> s_all = new(() => [CpuKernels.Create(), new ReferenceKernels()]);

    /// <summary>All kernel sets that run on this machine, the fastest first.</summary>
    public static IReadOnlyList<KernelSet> All => s_all.Value;

    /// <summary>The kernel set named by the environment variable <c>SPARSEFRONTIER_KERNEL</c>, or else the fastest.</summary>
    /// <exception cref="SparseFrontierException">KernelNotFound: the variable names none.</exception>
    public static KernelSet Default => Choose(Environment.GetEnvironmentVariable("SPARSEFRONTIER_KERNEL"));

    /// <summary>The widest SIMD instructions that the kernels use here: "AVX-512", "AVX2", "128-bit SIMD" or "scalar".</summary>
    public static string InstructionSet =>
        Vector512.IsHardwareAccelerated ? "AVX-512"
        : Vector256.IsHardwareAccelerated ? "AVX2"
        : Vector128.IsHardwareAccelerated ? "128-bit SIMD"
        : "scalar";

    /// <summary>What <see cref="Default"/> is when the environment variable has this value.</summary>
    internal static KernelSet Choose(string? name) => string.IsNullOrEmpty(name) ? All[0] : Get(name);

    /// <summary>The kernel set of a name, in any case.</summary>
    /// <exception cref="SparseFrontierException">KernelNotFound.</exception>
    public static KernelSet Get(string name) =>
        All.FirstOrDefault(k => k.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
        ?? throw new SparseFrontierException(
            ErrorIds.KernelNotFound,
            $"There is no kernel set '{name}' on this machine. There are: {string.Join(", ", All.Select(k => k.Name))}.",
            name);
}
