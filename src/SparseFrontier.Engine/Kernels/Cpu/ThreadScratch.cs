using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels.Cpu;

/// <summary>Scratch memory of the calling thread, kept between calls so that kernels allocate nothing in their loops.</summary>
internal static unsafe class ThreadScratch
{
    [ThreadStatic]
    private static NativeArray<float>? s_own;

    [ThreadStatic]
    private static NativeArray<float>? s_shared;

    /// <summary>Memory for one task: at least <paramref name="length"/> floats, aligned to 64 bytes, with any content, until the thread's next call.</summary>
    public static float* Rent(long length) => Grow(ref s_own, length);

    /// <summary>Memory that a caller lets its tasks write to, on whatever thread they run; apart from what the tasks rent.</summary>
    public static float* RentShared(long length) => Grow(ref s_shared, length);

    private static float* Grow(ref NativeArray<float>? memory, long length)
    {
        if (memory is null || memory.Length < length)
        {
            memory?.Dispose();
            memory = new NativeArray<float>(length);
        }

        return memory.Pointer;
    }
}
