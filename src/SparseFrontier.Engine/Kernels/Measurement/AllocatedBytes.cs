using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels.Measurement;

/// <summary>What an action allocates.</summary>
internal static class AllocatedBytes
{
    /// <summary>
    /// Runs an action and returns the most native memory that it held at a time, and all of what its threads allocated on the managed heap: a bound from
    /// above, because some of that is garbage before the action ends. Other work of the process beside it is counted too.
    /// </summary>
    public static long Of(Action action)
    {
        NativeMemoryUse.ResetPeak();
        long native = NativeMemoryUse.Live;
        long managed = GC.GetTotalAllocatedBytes(precise: true);
        action();
        return NativeMemoryUse.Peak - native + GC.GetTotalAllocatedBytes(precise: true) - managed;
    }
}
