namespace SparseFrontier.Tensors;

/// <summary>Bytes that all <see cref="NativeArray{T}"/> of the process hold, and held at most: the peak in a row, and what promises about memory are tested by.</summary>
internal static class NativeMemoryUse
{
    private static long s_live;
    private static long s_peak;

    /// <summary>Bytes held now.</summary>
    public static long Live => Volatile.Read(ref s_live);

    /// <summary>Most bytes held since <see cref="ResetPeak"/>.</summary>
    public static long Peak => Volatile.Read(ref s_peak);

    /// <summary>Begins a new peak at what is held now.</summary>
    public static void ResetPeak() => Volatile.Write(ref s_peak, Live);

    /// <summary>Counts memory that was allocated, or freed if negative.</summary>
    internal static void Add(long bytes)
    {
        long live = Interlocked.Add(ref s_live, bytes);
        for (long peak = Peak; live > peak; peak = Peak)
        {
            Interlocked.CompareExchange(ref s_peak, live, peak);
        }
    }
}
