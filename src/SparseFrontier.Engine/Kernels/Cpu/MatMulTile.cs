using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace SparseFrontier.Kernels.Cpu;

/// <summary>A number that is part of a type, so that the compiler makes a method of its own for each and unrolls over it.</summary>
internal interface ICount
{
    static abstract int Value { get; }
}

internal readonly struct Count1 : ICount
{
    public static int Value => 1;
}

internal readonly struct Count2 : ICount
{
    public static int Value => 2;
}

internal readonly struct Count3 : ICount
{
    public static int Value => 3;
}

internal readonly struct Count4 : ICount
{
    public static int Value => 4;
}

internal readonly struct Count5 : ICount
{
    public static int Value => 5;
}

internal readonly struct Count6 : ICount
{
    public static int Value => 6;
}

/// <summary>
/// The register tile of a matrix product: c[r][o] = start[r][o] + Σ_k a[r][k] w[k][o] for up to 6 rows and up to 4 vectors of outputs. Cost: rows ·
/// outputs · depth multiply-adds, each element's in ascending order of k.
/// </summary>
/// <remarks>
/// One source for all heights, widths and types of weights: the counts are type parameters, so each combination becomes straight-line code
/// whose accumulators all stay in registers (24 of 32 in the largest tile, 12 of 16 where there are no more). A tile row is a struct of four vectors because the compiler
/// keeps the fields of such a struct in registers, but not those of larger ones or of arrays.
/// </remarks>
internal static unsafe class MatMulTile<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    /// <summary>Most inputs of a call.</summary>
    public const int MaximumDepth = 512;

    /// <summary>Floats from one row of <c>a</c> to the next. Not a power of two, so that the rows do not fall into the same cache sets.</summary>
    public const int InputStride = MaximumDepth + 16;

    /// <summary>Most rows of a tile.</summary>
    public const int MaximumRows = 6;

    /// <summary>Vectors of the widest tile.</summary>
    public static int MaximumVectors => TSimd.HasManyRegisters ? 4 : 2;

    /// <summary>Computes a tile of any height and width.</summary>
    /// <param name="rows">1 to <see cref="MaximumRows"/>.</param>
    /// <param name="vectors">1 to <see cref="MaximumVectors"/>.</param>
    /// <param name="a">[rows, depth] with the stride <see cref="InputStride"/>.</param>
    /// <param name="weights">[depth, vectors].</param>
    /// <param name="weightStep">Bytes from the weights of one input to those of the next.</param>
    /// <param name="depth">Number of inputs.</param>
    /// <param name="start">[rows, vectors].</param>
    /// <param name="startStride">Floats from one row to the next; 0 for the same start in all rows.</param>
    /// <param name="c">[rows, vectors], written; may be <paramref name="start"/>.</param>
    /// <param name="stride">Floats from one row to the next.</param>
    /// <param name="next">Weights that are soon needed: tiles of <see cref="MaximumRows"/> fetch some into the second-level cache beside each input.</param>
    /// <param name="nextStep">Bytes that are fetched beside an input, on average.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply<TElement>(
        int rows, int vectors, float* a, byte* weights, long weightStep, int depth, float* start, long startStride, float* c, long stride, byte* next, long nextStep)
        where TElement : struct, IWeightElement
    {
        switch (rows)
        {
            case 1:
                Multiply<TElement, Count1>(vectors, a, weights, weightStep, depth, start, startStride, c, stride, next, nextStep);
                break;
            case 2:
                Multiply<TElement, Count2>(vectors, a, weights, weightStep, depth, start, startStride, c, stride, next, nextStep);
                break;
            case 3:
                Multiply<TElement, Count3>(vectors, a, weights, weightStep, depth, start, startStride, c, stride, next, nextStep);
                break;
            case 4:
                Multiply<TElement, Count4>(vectors, a, weights, weightStep, depth, start, startStride, c, stride, next, nextStep);
                break;
            case 5:
                Multiply<TElement, Count5>(vectors, a, weights, weightStep, depth, start, startStride, c, stride, next, nextStep);
                break;
            default:
                Multiply<TElement, Count6>(vectors, a, weights, weightStep, depth, start, startStride, c, stride, next, nextStep);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply<TElement, TRows>(
        int vectors, float* a, byte* weights, long weightStep, int depth, float* start, long startStride, float* c, long stride, byte* next, long nextStep)
        where TElement : struct, IWeightElement
        where TRows : struct, ICount
    {
        switch (vectors)
        {
            case 1:
                Multiply<TElement, TRows, Count1>(a, weights, weightStep, depth, start, startStride, c, stride, next, nextStep);
                break;
            case 2:
                Multiply<TElement, TRows, Count2>(a, weights, weightStep, depth, start, startStride, c, stride, next, nextStep);
                break;
            case 3:
                Multiply<TElement, TRows, Count3>(a, weights, weightStep, depth, start, startStride, c, stride, next, nextStep);
                break;
            default:
                Multiply<TElement, TRows, Count4>(a, weights, weightStep, depth, start, startStride, c, stride, next, nextStep);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Multiply<TElement, TRows, TVectors>(
        float* a, byte* weights, long weightStep, int depth, float* start, long startStride, float* c, long stride, byte* next, long nextStep)
        where TElement : struct, IWeightElement
        where TRows : struct, ICount
        where TVectors : struct, ICount
    {
        Row<TVectors> r0 = default;
        Row<TVectors> r1 = default;
        Row<TVectors> r2 = default;
        Row<TVectors> r3 = default;
        Row<TVectors> r4 = default;
        Row<TVectors> r5 = default;
        r0.Load(start);
        if (TRows.Value > 1)
        {
            r1.Load(start += startStride);
        }

        if (TRows.Value > 2)
        {
            r2.Load(start += startStride);
        }

        if (TRows.Value > 3)
        {
            r3.Load(start += startStride);
        }

        if (TRows.Value > 4)
        {
            r4.Load(start += startStride);
        }

        if (TRows.Value > 5)
        {
            r5.Load(start + startStride);
        }

        for (int k = 0; k < depth; k++)
        {
            Row<TVectors> w = default;
            w.LoadWeights<TElement>(weights);
            weights += weightStep;
            if (TRows.Value == MaximumRows && Sse.IsSupported)
            {
                Sse.Prefetch1(next);
                next += nextStep;
            }

            r0.MultiplyAdd(a, w);
            if (TRows.Value > 1)
            {
                r1.MultiplyAdd(a + InputStride, w);
            }

            if (TRows.Value > 2)
            {
                r2.MultiplyAdd(a + (2 * InputStride), w);
            }

            if (TRows.Value > 3)
            {
                r3.MultiplyAdd(a + (3 * InputStride), w);
            }

            if (TRows.Value > 4)
            {
                r4.MultiplyAdd(a + (4 * InputStride), w);
            }

            if (TRows.Value > 5)
            {
                r5.MultiplyAdd(a + (5 * InputStride), w);
            }

            a++;
        }

        r0.Store(c);
        if (TRows.Value > 1)
        {
            r1.Store(c += stride);
        }

        if (TRows.Value > 2)
        {
            r2.Store(c += stride);
        }

        if (TRows.Value > 3)
        {
            r3.Store(c += stride);
        }

        if (TRows.Value > 4)
        {
            r4.Store(c += stride);
        }

        if (TRows.Value > 5)
        {
            r5.Store(c + stride);
        }
    }

    /// <summary>One row of the tile: up to four vectors.</summary>
    private struct Row<TVectors>
        where TVectors : struct, ICount
    {
        private TVector _v0;
        private TVector _v1;
        private TVector _v2;
        private TVector _v3;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Load(float* source)
        {
            _v0 = TSimd.Load(source);
            if (TVectors.Value > 1)
            {
                _v1 = TSimd.Load(source + TSimd.Width);
            }

            if (TVectors.Value > 2)
            {
                _v2 = TSimd.Load(source + (2 * TSimd.Width));
            }

            if (TVectors.Value > 3)
            {
                _v3 = TSimd.Load(source + (3 * TSimd.Width));
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void LoadWeights<TElement>(byte* source)
            where TElement : struct, IWeightElement
        {
            _v0 = TElement.Load<TSimd, TVector>(source, 0);
            if (TVectors.Value > 1)
            {
                _v1 = TElement.Load<TSimd, TVector>(source, TSimd.Width);
            }

            if (TVectors.Value > 2)
            {
                _v2 = TElement.Load<TSimd, TVector>(source, 2 * TSimd.Width);
            }

            if (TVectors.Value > 3)
            {
                _v3 = TElement.Load<TSimd, TVector>(source, 3 * TSimd.Width);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void MultiplyAdd(float* a, Row<TVectors> weights)
        {
            TVector x = TSimd.Broadcast(a);
            _v0 = TSimd.MultiplyAdd(x, weights._v0, _v0);
            if (TVectors.Value > 1)
            {
                _v1 = TSimd.MultiplyAdd(x, weights._v1, _v1);
            }

            if (TVectors.Value > 2)
            {
                _v2 = TSimd.MultiplyAdd(x, weights._v2, _v2);
            }

            if (TVectors.Value > 3)
            {
                _v3 = TSimd.MultiplyAdd(x, weights._v3, _v3);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Store(float* target)
        {
            TSimd.Store(_v0, target);
            if (TVectors.Value > 1)
            {
                TSimd.Store(_v1, target + TSimd.Width);
            }

            if (TVectors.Value > 2)
            {
                TSimd.Store(_v2, target + (2 * TSimd.Width));
            }

            if (TVectors.Value > 3)
            {
                TSimd.Store(_v3, target + (3 * TSimd.Width));
            }
        }
    }
}
