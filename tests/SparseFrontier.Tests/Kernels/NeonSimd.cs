using System.Runtime.Intrinsics;
using SparseFrontier.Kernels.Cpu;

namespace SparseFrontier.Tests.Kernels;

/// <summary><see cref="Simd128"/> as it is on ARM, with 32 registers.</summary>
internal readonly unsafe struct NeonSimd : ISimd<Vector128<float>>
{
    public static int Width => Simd128.Width;

    public static bool HasManyRegisters => true;

    public static Vector128<float> Broadcast(float value) => Simd128.Broadcast(value);

    public static Vector128<float> Broadcast(float* source) => Simd128.Broadcast(source);

    public static Vector128<float> Ascending(float first) => Simd128.Ascending(first);

    public static Vector128<float> Load(float* source) => Simd128.Load(source);

    public static Vector128<float> LoadBFloat16(ushort* source) => Simd128.LoadBFloat16(source);

    public static Vector128<float> LoadBFloat16Even(ushort* source) => Simd128.LoadBFloat16Even(source);

    public static Vector128<float> LoadBFloat16Odd(ushort* source) => Simd128.LoadBFloat16Odd(source);

    public static void StoreBFloat16(Vector128<float> even, Vector128<float> odd, ushort* target) => Simd128.StoreBFloat16(even, odd, target);

    public static Vector128<float> LoadHalf(ushort* source) => Simd128.LoadHalf(source);

    public static void Store(Vector128<float> vector, float* target) => Simd128.Store(vector, target);

    public static Vector128<float> Add(Vector128<float> a, Vector128<float> b) => Simd128.Add(a, b);

    public static Vector128<float> Subtract(Vector128<float> a, Vector128<float> b) => Simd128.Subtract(a, b);

    public static Vector128<float> Multiply(Vector128<float> a, Vector128<float> b) => Simd128.Multiply(a, b);

    public static Vector128<float> Divide(Vector128<float> a, Vector128<float> b) => Simd128.Divide(a, b);

    public static Vector128<float> MultiplyAdd(Vector128<float> a, Vector128<float> b, Vector128<float> c) => Simd128.MultiplyAdd(a, b, c);

    public static Vector128<float> Max(Vector128<float> a, Vector128<float> b) => Simd128.Max(a, b);

    public static Vector128<float> Min(Vector128<float> a, Vector128<float> b) => Simd128.Min(a, b);

    public static Vector128<float> Round(Vector128<float> a) => Simd128.Round(a);

    public static Vector128<float> Scale(Vector128<float> a, Vector128<float> exponent) => Simd128.Scale(a, exponent);

    public static Vector128<float> SelectLessOrEqual(Vector128<float> a, Vector128<float> b, Vector128<float> yes, Vector128<float> no) => Simd128.SelectLessOrEqual(a, b, yes, no);

    public static float Sum(Vector128<float> a) => Simd128.Sum(a);

    public static Vector128<float> Sum(Vector128<float> a, Vector128<float> b, Vector128<float> c, Vector128<float> d) => Simd128.Sum(a, b, c, d);

    public static float Maximum(Vector128<float> a) => Simd128.Maximum(a);
}
