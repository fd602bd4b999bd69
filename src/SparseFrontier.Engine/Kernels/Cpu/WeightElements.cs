using System.Runtime.CompilerServices;

namespace SparseFrontier.Kernels.Cpu;

/// <summary>How a weight type is read: widened to float32 on the way into a register.</summary>
internal unsafe interface IWeightElement
{
    /// <summary>Bytes of an element.</summary>
    static abstract int Size { get; }

    static abstract TVector Load<TSimd, TVector>(void* data, long index)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct;
}

/// <summary>float32 weights.</summary>
internal readonly unsafe struct SingleElement : IWeightElement
{
    public static int Size => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Load<TSimd, TVector>(void* data, long index)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.Load((float*)data + index);
}

/// <summary>binary16 weights.</summary>
internal readonly unsafe struct HalfElement : IWeightElement
{
    public static int Size => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Load<TSimd, TVector>(void* data, long index)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.LoadHalf((ushort*)data + index);
}

/// <summary>bfloat16 weights.</summary>
internal readonly unsafe struct BFloat16Element : IWeightElement
{
    public static int Size => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Load<TSimd, TVector>(void* data, long index)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.LoadBFloat16((ushort*)data + index);
}
