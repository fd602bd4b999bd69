using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace SparseFrontier.Tensors;

/// <summary>bfloat16: the upper half of a float32. Rounding is to nearest, ties to even; NaN stays NaN.</summary>
public static unsafe class BFloat16
{
    /// <summary>The bits of a value rounded to bfloat16.</summary>
    public static ushort Round(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        uint rounded = float.IsNaN(value) ? bits | 0x0040_0000 : bits + 0x7FFF + ((bits >> 16) & 1);
        return (ushort)(rounded >> 16);
    }

    /// <summary>The value of bfloat16 bits.</summary>
    public static float Widen(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);

    /// <summary>Rounds <paramref name="count"/> values. Cost: one pass over both arrays.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Round(float* source, ushort* target, long count)
    {
        long i = 0;
        for (; i + (2 * Vector512<uint>.Count) <= count; i += 2 * Vector512<uint>.Count)
        {
            Vector512.Narrow(Round(Vector512.Load(source + i)), Round(Vector512.Load(source + i + Vector512<uint>.Count))).Store(target + i);
        }

        for (; i < count; i++)
        {
            target[i] = Round(source[i]);
        }
    }

    /// <summary>Widens <paramref name="count"/> values. Cost: one pass over both arrays.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Widen(ushort* source, float* target, long count)
    {
        long i = 0;
        for (; i + Vector512<ushort>.Count <= count; i += Vector512<ushort>.Count)
        {
            (Vector512<uint> lower, Vector512<uint> upper) = Vector512.Widen(Vector512.Load(source + i));
            (lower << 16).AsSingle().Store(target + i);
            (upper << 16).AsSingle().Store(target + i + Vector512<uint>.Count);
        }

        for (; i < count; i++)
        {
            target[i] = Widen(source[i]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Round(Vector512<float> values)
    {
        Vector512<uint> bits = values.AsUInt32();
        Vector512<uint> rounded = bits + Vector512.Create(0x7FFFu) + ((bits >> 16) & Vector512<uint>.One);
        Vector512<uint> isNumber = Vector512.Equals(values, values).AsUInt32();
        return Vector512.ConditionalSelect(isNumber, rounded, bits | Vector512.Create(0x0040_0000u)) >> 16;
    }
}
