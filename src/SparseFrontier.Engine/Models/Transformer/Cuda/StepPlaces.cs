using System.Runtime.InteropServices;
using SparseFrontier.Kernels.Cuda;

namespace SparseFrontier.Models.Transformer.Cuda;

/// <summary>As struct CacheHead of step_caches.cuh.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly record struct CacheHead(ulong Keys, ulong Values, ulong TailKeys, ulong TailValues, ulong Bounds, ulong TailBounds, int Split, int Budget);

/// <summary>As struct StepRow of step_caches.cuh.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly record struct StepRowState(ulong Heads, ulong Angles, ulong SlidingAngles, int Token, int Appended, int PromptPages, int Unused);

/// <summary>As struct PagedHead of step_caches.cuh; written by the device alone.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly record struct PagedHead(ulong Keys, ulong TailKeys, ulong Bounds, ulong TailBounds, int Split, int PromptPages, int Length, int Budget);

/// <summary>One layer's part of what the kernel `place` writes (see step.cu): where each row's keys and values lie.</summary>
/// <param name="Memory">Address of the arrays.</param>
/// <param name="Heads">Layers x rows x KV heads.</param>
/// <param name="First">First of the layer.</param>
internal readonly unsafe record struct StepPlaces(ulong Memory, long Heads, long First)
{
    private const int Addresses = 4;

    /// <summary>Bytes that the arrays take for each head of each row and layer.</summary>
    public static int BytesOfHead => (Addresses * sizeof(ulong)) + sizeof(PagedHead) + (2 * sizeof(int));

    /// <summary>Of the layer's first row.</summary>
    public CudaCacheAddresses Caches => CachesFrom(0);

    /// <summary>struct PagedHead of the layer's rows and KV heads.</summary>
    public ulong Paged => Memory + (ulong)((Heads * Addresses * sizeof(ulong)) + (First * sizeof(PagedHead)));

    /// <summary>Tokens that each row sees, by KV head.</summary>
    public ulong Counts => Splits + (ulong)(Heads * sizeof(int));

    private ulong Splits => Memory + (ulong)((Heads * ((Addresses * sizeof(ulong)) + sizeof(PagedHead))) + (First * sizeof(int)));

    /// <summary>Of the rows from one on, which is so many heads behind the layer's first.</summary>
    public CudaCacheAddresses CachesFrom(long head)
    {
        ulong keys = Memory + (ulong)((First + head) * sizeof(ulong));
        ulong next = (ulong)(Heads * sizeof(ulong));
        return new CudaCacheAddresses(keys, keys + next, keys + (2 * next), keys + (3 * next), Splits + (ulong)(head * sizeof(int)));
    }
}
