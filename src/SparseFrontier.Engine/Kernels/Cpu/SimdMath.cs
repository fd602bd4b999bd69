using System.Runtime.CompilerServices;

namespace SparseFrontier.Kernels.Cpu;

/// <summary>Exponentials of vectors.</summary>
internal static class SimdMath<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    /// <summary>2^x for x of at most 127 (not -∞). Relative error 2e-7 for |x| below 1, and half a unit of x's last place times ln 2 beyond.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Exp2(TVector x)
    {
        TVector whole = TSimd.Round(x);
        return TSimd.Scale(Exp2Fraction(TSimd.Subtract(x, whole)), whole);
    }

    /// <summary>2^x for x of at most 0; 0 for -∞ too, a score beyond float32's range or the distance to one. Errors are those of <see cref="Exp2"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Weight(TVector x) => Exp2(TSimd.Max(TSimd.Broadcast(-200), x));

    /// <summary>1 / (1 + e^-x). Relative error below 5e-7 for x above -88; 6e-39 below.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Sigmoid(TVector x)
    {
        // e^y = 2^n e^r with n = round(y / ln 2); ln 2 in two parts keeps r exact.
        TVector y = TSimd.Max(TSimd.Min(TSimd.Subtract(TSimd.Broadcast(0), x), TSimd.Broadcast(88)), TSimd.Broadcast(-88));
        TVector whole = TSimd.Round(TSimd.Multiply(y, TSimd.Broadcast(1.44269504f)));
        TVector rest = TSimd.MultiplyAdd(whole, TSimd.Broadcast(-0.693359375f), y);
        rest = TSimd.MultiplyAdd(whole, TSimd.Broadcast(2.12194440e-4f), rest);
        TVector exponential = TSimd.Scale(Exp2Fraction(TSimd.Multiply(rest, TSimd.Broadcast(1.44269504f))), whole);
        TVector one = TSimd.Broadcast(1);
        return TSimd.Divide(one, TSimd.Add(one, exponential));
    }

    // 2^f for |f| <= 1/2: a minimax polynomial of degree 5 with relative error 9.1e-8.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Exp2Fraction(TVector f)
    {
        TVector p = TSimd.Broadcast(0.0013264727f);
        p = TSimd.MultiplyAdd(p, f, TSimd.Broadcast(0.0096715128f));
        p = TSimd.MultiplyAdd(p, f, TSimd.Broadcast(0.0555073374f));
        p = TSimd.MultiplyAdd(p, f, TSimd.Broadcast(0.2402224208f));
        p = TSimd.MultiplyAdd(p, f, TSimd.Broadcast(0.6931469776f));
        return TSimd.MultiplyAdd(p, f, TSimd.Broadcast(1));
    }
}
