using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace SparseFrontier.Kernels.Cpu;

/// <summary>Transposition in registers.</summary>
internal static unsafe class SimdTranspose
{
    /// <summary>Whether this runs on the machine at hand.</summary>
    public static bool IsSupported => Avx.IsSupported;

    /// <summary>Whether <see cref="Transpose16x16"/> does.</summary>
    public static bool IsWideSupported => Avx512F.IsSupported;

    /// <summary>Transposes eight vectors as an 8 x 8 matrix.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose8x8(
        ref Vector256<float> r0,
        ref Vector256<float> r1,
        ref Vector256<float> r2,
        ref Vector256<float> r3,
        ref Vector256<float> r4,
        ref Vector256<float> r5,
        ref Vector256<float> r6,
        ref Vector256<float> r7)
    {
        Vector256<float> a0 = Avx.UnpackLow(r0, r1);
        Vector256<float> a1 = Avx.UnpackHigh(r0, r1);
        Vector256<float> a2 = Avx.UnpackLow(r2, r3);
        Vector256<float> a3 = Avx.UnpackHigh(r2, r3);
        Vector256<float> a4 = Avx.UnpackLow(r4, r5);
        Vector256<float> a5 = Avx.UnpackHigh(r4, r5);
        Vector256<float> a6 = Avx.UnpackLow(r6, r7);
        Vector256<float> a7 = Avx.UnpackHigh(r6, r7);
        Vector256<float> b0 = Avx.Shuffle(a0, a2, 0x44);
        Vector256<float> b1 = Avx.Shuffle(a0, a2, 0xEE);
        Vector256<float> b2 = Avx.Shuffle(a1, a3, 0x44);
        Vector256<float> b3 = Avx.Shuffle(a1, a3, 0xEE);
        Vector256<float> b4 = Avx.Shuffle(a4, a6, 0x44);
        Vector256<float> b5 = Avx.Shuffle(a4, a6, 0xEE);
        Vector256<float> b6 = Avx.Shuffle(a5, a7, 0x44);
        Vector256<float> b7 = Avx.Shuffle(a5, a7, 0xEE);
        r0 = Avx.Permute2x128(b0, b4, 0x20);
        r1 = Avx.Permute2x128(b1, b5, 0x20);
        r2 = Avx.Permute2x128(b2, b6, 0x20);
        r3 = Avx.Permute2x128(b3, b7, 0x20);
        r4 = Avx.Permute2x128(b0, b4, 0x31);
        r5 = Avx.Permute2x128(b1, b5, 0x31);
        r6 = Avx.Permute2x128(b2, b6, 0x31);
        r7 = Avx.Permute2x128(b3, b7, 0x31);
    }

    /// <summary>target[j][i] = factor · source[i][j] for eight rows of eight elements.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose8x8(float* source, long stride, float factor, float* target, long targetStride)
    {
        Vector256<float> r0 = Vector256.Load(source) * factor;
        Vector256<float> r1 = Vector256.Load(source + stride) * factor;
        Vector256<float> r2 = Vector256.Load(source + (2 * stride)) * factor;
        Vector256<float> r3 = Vector256.Load(source + (3 * stride)) * factor;
        Vector256<float> r4 = Vector256.Load(source + (4 * stride)) * factor;
        Vector256<float> r5 = Vector256.Load(source + (5 * stride)) * factor;
        Vector256<float> r6 = Vector256.Load(source + (6 * stride)) * factor;
        Vector256<float> r7 = Vector256.Load(source + (7 * stride)) * factor;
        Transpose8x8(ref r0, ref r1, ref r2, ref r3, ref r4, ref r5, ref r6, ref r7);
        r0.Store(target);
        r1.Store(target + targetStride);
        r2.Store(target + (2 * targetStride));
        r3.Store(target + (3 * targetStride));
        r4.Store(target + (4 * targetStride));
        r5.Store(target + (5 * targetStride));
        r6.Store(target + (6 * targetStride));
        r7.Store(target + (7 * targetStride));
    }

    /// <summary>target[j][i] = factor · source[i][j] for 16 rows of 16 elements.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose16x16(float* source, long stride, float factor, float* target, long targetStride)
    {
        Vector512<float> factors = Vector512.Create(factor);
        for (int column = 0; column < 16; column += 4)
        {
            // Four elements of rows i, i + 4, i + 8 and i + 12 beside each other: 4 x 4 transposed within each 128 bits, they are columns of 16 rows.
            float* row = source + column;
            Vector512<float> r0 = LoadQuarters(row, 4 * stride) * factors;
            Vector512<float> r1 = LoadQuarters(row + stride, 4 * stride) * factors;
            Vector512<float> r2 = LoadQuarters(row + (2 * stride), 4 * stride) * factors;
            Vector512<float> r3 = LoadQuarters(row + (3 * stride), 4 * stride) * factors;
            Vector512<double> a0 = Avx512F.UnpackLow(r0, r1).AsDouble();
            Vector512<double> a1 = Avx512F.UnpackHigh(r0, r1).AsDouble();
            Vector512<double> a2 = Avx512F.UnpackLow(r2, r3).AsDouble();
            Vector512<double> a3 = Avx512F.UnpackHigh(r2, r3).AsDouble();
            float* lanes = target + (column * targetStride);
            Avx512F.UnpackLow(a0, a2).AsSingle().Store(lanes);
            Avx512F.UnpackHigh(a0, a2).AsSingle().Store(lanes + targetStride);
            Avx512F.UnpackLow(a1, a3).AsSingle().Store(lanes + (2 * targetStride));
            Avx512F.UnpackHigh(a1, a3).AsSingle().Store(lanes + (3 * targetStride));
        }
    }

    // Four elements each of four places.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> LoadQuarters(float* source, long stride)
    {
        Vector512<float> vector = Vector128.Load(source).ToVector256Unsafe().ToVector512Unsafe();
        vector = Avx512F.InsertVector128(vector, Vector128.Load(source + stride), 1);
        vector = Avx512F.InsertVector128(vector, Vector128.Load(source + (2 * stride)), 2);
        return Avx512F.InsertVector128(vector, Vector128.Load(source + (3 * stride)), 3);
    }
}
