using System.Runtime.Intrinsics;

namespace SparseFrontier.Kernels.Cpu;

/// <summary>
/// The vector operations that the kernels are written in, so that one source serves every SIMD width. Implementations are stateless; the
/// compiler specialises each kernel for its width and nothing is called through a table.
/// </summary>
/// <typeparam name="TVector">The vector of float32 lanes.</typeparam>
internal unsafe interface ISimd<TVector>
    where TVector : struct
{
    /// <summary>Lanes of a vector.</summary>
    static abstract int Width { get; }

    /// <summary>Whether at least 32 vector registers exist, so that the larger register tiles do not spill.</summary>
    static abstract bool HasManyRegisters { get; }

    static abstract TVector Broadcast(float value);

    /// <summary>Broadcasts a number in memory: one instruction where <see cref="Broadcast(float)"/> of a loaded one takes two.</summary>
    static abstract TVector Broadcast(float* source);

    /// <summary>first, first + 1, first + 2 and so on.</summary>
    static abstract TVector Ascending(float first);

    static abstract TVector Load(float* source);

    /// <summary>Loads bfloat16 values, widened.</summary>
    static abstract TVector LoadBFloat16(ushort* source);

    /// <summary>The values at even places among 2 · Width bfloat16 values, widened: with the odd ones cheaper than two loads in order.</summary>
    static abstract TVector LoadBFloat16Even(ushort* source);

    /// <summary>The values at odd places among 2 · Width bfloat16 values, widened.</summary>
    static abstract TVector LoadBFloat16Odd(ushort* source);

    /// <summary>Stores 2 · Width values that are bfloat16 values, from those at even and at odd places.</summary>
    static abstract void StoreBFloat16(TVector even, TVector odd, ushort* target);

    /// <summary>Loads IEEE binary16 values, widened.</summary>
    static abstract TVector LoadHalf(ushort* source);

    static abstract void Store(TVector vector, float* target);

    static abstract TVector Add(TVector a, TVector b);

    static abstract TVector Subtract(TVector a, TVector b);

    static abstract TVector Multiply(TVector a, TVector b);

    static abstract TVector Divide(TVector a, TVector b);

    /// <summary>a · b + c, rounded once where the machine can.</summary>
    static abstract TVector MultiplyAdd(TVector a, TVector b, TVector c);

    static abstract TVector Max(TVector a, TVector b);

    static abstract TVector Min(TVector a, TVector b);

    /// <summary>To the nearest integer, ties to even.</summary>
    static abstract TVector Round(TVector a);

    /// <summary>a · 2^exponent for integral exponents of at most 127; 0 from -127 down or thereabouts.</summary>
    static abstract TVector Scale(TVector a, TVector exponent);

    /// <summary>Lane by lane: a &lt;= b ? yes : no.</summary>
    static abstract TVector SelectLessOrEqual(TVector a, TVector b, TVector yes, TVector no);

    /// <summary>Sum of the lanes, always in the same order.</summary>
    static abstract float Sum(TVector a);

    /// <summary>Sums of the lanes of four vectors, always in the same order.</summary>
    static abstract Vector128<float> Sum(TVector a, TVector b, TVector c, TVector d);

    /// <summary>Largest lane.</summary>
    static abstract float Maximum(TVector a);
}
