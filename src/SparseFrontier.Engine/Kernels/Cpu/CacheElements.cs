using System.Runtime.CompilerServices;
using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels.Cpu;

/// <summary>
/// How a cache's type is read: 2 · Width elements at a time into two vectors of float32, in an order of the type's own. What is multiplied
/// with them is brought into the same order once (<see cref="Order"/>), so that no element is moved where the cache is read.
/// </summary>
internal unsafe interface ICacheElement
{
    /// <summary>Bytes of an element.</summary>
    static abstract int Size { get; }

    /// <summary>Brings elements into the type's order; what does not fill two vectors of <paramref name="width"/> lanes stays as it is.</summary>
    static abstract void Order(float* source, float* target, int count, int width);

    /// <summary>The inverse of <see cref="Order"/>.</summary>
    static abstract void Restore(float* source, float* target, int count, int width);

    static abstract TVector LoadFirst<TSimd, TVector>(byte* source)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct;

    static abstract TVector LoadSecond<TSimd, TVector>(byte* source)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct;

    /// <summary>Stores values of the type.</summary>
    static abstract void Store<TSimd, TVector>(TVector first, TVector second, byte* target)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct;

    static abstract float LoadScalar(byte* source);

    static abstract void StoreScalar(float value, byte* target);
}

/// <summary>float32: the first vector, then the second.</summary>
internal readonly unsafe struct SingleCacheElement : ICacheElement
{
    public static int Size => sizeof(float);

    public static void Order(float* source, float* target, int count, int width) => Buffer.MemoryCopy(source, target, count * sizeof(float), count * sizeof(float));

    public static void Restore(float* source, float* target, int count, int width) => Order(source, target, count, width);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector LoadFirst<TSimd, TVector>(byte* source)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.Load((float*)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector LoadSecond<TSimd, TVector>(byte* source)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.Load((float*)source + TSimd.Width);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<TSimd, TVector>(TVector first, TVector second, byte* target)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        TSimd.Store(first, (float*)target);
        TSimd.Store(second, (float*)target + TSimd.Width);
    }

    public static float LoadScalar(byte* source) => *(float*)source;

    public static void StoreScalar(float value, byte* target) => *(float*)target = value;
}

/// <summary>bfloat16: the elements at even places, then those at odd ones.</summary>
internal readonly unsafe struct BFloat16CacheElement : ICacheElement
{
    public static int Size => sizeof(ushort);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Order(float* source, float* target, int count, int width)
    {
        int d = 0;
        for (; d + (2 * width) <= count; d += 2 * width)
        {
            for (int i = 0; i < width; i++)
            {
                target[d + i] = source[d + (2 * i)];
                target[d + width + i] = source[d + (2 * i) + 1];
            }
        }

        for (; d < count; d++)
        {
            target[d] = source[d];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Restore(float* source, float* target, int count, int width)
    {
        int d = 0;
        for (; d + (2 * width) <= count; d += 2 * width)
        {
            for (int i = 0; i < width; i++)
            {
                target[d + (2 * i)] = source[d + i];
                target[d + (2 * i) + 1] = source[d + width + i];
            }
        }

        for (; d < count; d++)
        {
            target[d] = source[d];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector LoadFirst<TSimd, TVector>(byte* source)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.LoadBFloat16Even((ushort*)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector LoadSecond<TSimd, TVector>(byte* source)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.LoadBFloat16Odd((ushort*)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<TSimd, TVector>(TVector first, TVector second, byte* target)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.StoreBFloat16(first, second, (ushort*)target);

    public static float LoadScalar(byte* source) => BFloat16.Widen(*(ushort*)source);

    public static void StoreScalar(float value, byte* target) => *(ushort*)target = (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16);
}
