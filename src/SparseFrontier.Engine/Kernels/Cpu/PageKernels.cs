using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace SparseFrontier.Kernels.Cpu;

/// <summary>
/// Bounds of the keys of a page, and the largest score that a key within them could have for a group of query heads:
/// score_p = Σ_h Σ_d max(q_hd minimum_pd, q_hd maximum_pd). Layout of bounds: [pages, 2, dimension], minima and then maxima of a page, in the
/// keys' type. Cost: one pass over the keys, or the bounds.
/// </summary>
/// <remarks>
/// As a minimum is never above its maximum, the larger product is that with the maximum where q is positive and that with the minimum where
/// it is negative. The heads' positive and negative parts are therefore summed first, and a page costs the same for any number of heads.
/// </remarks>
internal static unsafe class PageKernels<TSimd, TVector, TElement>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TElement : struct, ICacheElement
{
    private const int PrefetchBytes = 4096;

    private static int Step => 2 * TSimd.Width;

    /// <summary>minima = min(minima, keys), maxima = max(maxima, keys).</summary>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void ExtendBounds(byte* keys, int rows, int dimension, byte* bounds)
    {
        long row = (long)dimension * TElement.Size;
        byte* minima = bounds;
        byte* maxima = bounds + row;
        int d = 0;
        for (; d + Step <= dimension; d += Step)
        {
            long offset = (long)d * TElement.Size;
            TVector minimum0 = TElement.LoadFirst<TSimd, TVector>(minima + offset);
            TVector minimum1 = TElement.LoadSecond<TSimd, TVector>(minima + offset);
            TVector maximum0 = TElement.LoadFirst<TSimd, TVector>(maxima + offset);
            TVector maximum1 = TElement.LoadSecond<TSimd, TVector>(maxima + offset);
            for (int r = 0; r < rows; r++)
            {
                TVector key0 = TElement.LoadFirst<TSimd, TVector>(keys + (r * row) + offset);
                TVector key1 = TElement.LoadSecond<TSimd, TVector>(keys + (r * row) + offset);
                minimum0 = TSimd.Min(minimum0, key0);
                minimum1 = TSimd.Min(minimum1, key1);
                maximum0 = TSimd.Max(maximum0, key0);
                maximum1 = TSimd.Max(maximum1, key1);
            }

            TElement.Store<TSimd, TVector>(minimum0, minimum1, minima + offset);
            TElement.Store<TSimd, TVector>(maximum0, maximum1, maxima + offset);
        }

        for (; d < dimension; d++)
        {
            long offset = (long)d * TElement.Size;
            float minimum = TElement.LoadScalar(minima + offset);
            float maximum = TElement.LoadScalar(maxima + offset);
            for (int r = 0; r < rows; r++)
            {
                float key = TElement.LoadScalar(keys + (r * row) + offset);
                minimum = MathF.Min(minimum, key);
                maximum = MathF.Max(maximum, key);
            }

            TElement.StoreScalar(minimum, minima + offset);
            TElement.StoreScalar(maximum, maxima + offset);
        }
    }

    /// <summary>Scores of pages for a group of query heads.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Score(float* queries, int heads, byte* bounds, int pages, int dimension, float* scores)
    {
        // What the minima and what the maxima are multiplied with, in the order in which they are read.
        float* negative = ThreadScratch.Rent(4L * dimension);
        float* positive = negative + dimension;
        float* sums = positive + dimension;
        new Span<float>(sums, 2 * dimension).Clear();
        for (int h = 0; h < heads; h++)
        {
            for (int d = 0; d < dimension; d++)
            {
                float q = queries[((long)h * dimension) + d];
                sums[d] += q < 0 ? q : 0;
                sums[dimension + d] += q > 0 ? q : 0;
            }
        }

        TElement.Order(sums, negative, dimension, TSimd.Width);
        TElement.Order(sums + dimension, positive, dimension, TSimd.Width);
        Multiply(negative, positive, bounds, pages, dimension, scores);
    }

    // Four pages at a time; the last page stands in for those that there are not.
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Multiply(float* negative, float* positive, byte* bounds, int pages, int dimension, float* scores)
    {
        long row = (long)dimension * TElement.Size;
        float* four = stackalloc float[4];
        for (int p = 0; p < pages; p += 4)
        {
            byte* b0 = bounds + (2 * row * p);
            byte* b1 = bounds + (2 * row * Math.Min(p + 1, pages - 1));
            byte* b2 = bounds + (2 * row * Math.Min(p + 2, pages - 1));
            byte* b3 = bounds + (2 * row * Math.Min(p + 3, pages - 1));
            TVector s0 = TSimd.Broadcast(0);
            TVector s1 = s0;
            TVector s2 = s0;
            TVector s3 = s0;
            int d = 0;
            for (; d + Step <= dimension; d += Step)
            {
                long minimum = (long)d * TElement.Size;
                long maximum = minimum + row;
                Prefetch(b0, b1, b2, b3, minimum);
                Prefetch(b0, b1, b2, b3, maximum);
                TVector q = TSimd.Load(negative + d);
                s0 = TSimd.MultiplyAdd(q, TElement.LoadFirst<TSimd, TVector>(b0 + minimum), s0);
                s1 = TSimd.MultiplyAdd(q, TElement.LoadFirst<TSimd, TVector>(b1 + minimum), s1);
                s2 = TSimd.MultiplyAdd(q, TElement.LoadFirst<TSimd, TVector>(b2 + minimum), s2);
                s3 = TSimd.MultiplyAdd(q, TElement.LoadFirst<TSimd, TVector>(b3 + minimum), s3);
                q = TSimd.Load(negative + d + TSimd.Width);
                s0 = TSimd.MultiplyAdd(q, TElement.LoadSecond<TSimd, TVector>(b0 + minimum), s0);
                s1 = TSimd.MultiplyAdd(q, TElement.LoadSecond<TSimd, TVector>(b1 + minimum), s1);
                s2 = TSimd.MultiplyAdd(q, TElement.LoadSecond<TSimd, TVector>(b2 + minimum), s2);
                s3 = TSimd.MultiplyAdd(q, TElement.LoadSecond<TSimd, TVector>(b3 + minimum), s3);
                q = TSimd.Load(positive + d);
                s0 = TSimd.MultiplyAdd(q, TElement.LoadFirst<TSimd, TVector>(b0 + maximum), s0);
                s1 = TSimd.MultiplyAdd(q, TElement.LoadFirst<TSimd, TVector>(b1 + maximum), s1);
                s2 = TSimd.MultiplyAdd(q, TElement.LoadFirst<TSimd, TVector>(b2 + maximum), s2);
                s3 = TSimd.MultiplyAdd(q, TElement.LoadFirst<TSimd, TVector>(b3 + maximum), s3);
                q = TSimd.Load(positive + d + TSimd.Width);
                s0 = TSimd.MultiplyAdd(q, TElement.LoadSecond<TSimd, TVector>(b0 + maximum), s0);
                s1 = TSimd.MultiplyAdd(q, TElement.LoadSecond<TSimd, TVector>(b1 + maximum), s1);
                s2 = TSimd.MultiplyAdd(q, TElement.LoadSecond<TSimd, TVector>(b2 + maximum), s2);
                s3 = TSimd.MultiplyAdd(q, TElement.LoadSecond<TSimd, TVector>(b3 + maximum), s3);
            }

            Vector128<float> sums = TSimd.Sum(s0, s1, s2, s3);
            for (; d < dimension; d++)
            {
                long minimum = (long)d * TElement.Size;
                sums += Vector128.Create(
                    TElement.LoadScalar(b0 + minimum), TElement.LoadScalar(b1 + minimum), TElement.LoadScalar(b2 + minimum), TElement.LoadScalar(b3 + minimum)) * negative[d];
                long maximum = minimum + row;
                sums += Vector128.Create(
                    TElement.LoadScalar(b0 + maximum), TElement.LoadScalar(b1 + maximum), TElement.LoadScalar(b2 + maximum), TElement.LoadScalar(b3 + maximum)) * positive[d];
            }

            if (p + 4 <= pages)
            {
                sums.Store(scores + p);
                continue;
            }

            sums.Store(four);
            for (int i = 0; p + i < pages; i++)
            {
                scores[p + i] = four[i];
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(byte* b0, byte* b1, byte* b2, byte* b3, long offset)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(b0 + offset + PrefetchBytes);
            Sse.Prefetch0(b1 + offset + PrefetchBytes);
            Sse.Prefetch0(b2 + offset + PrefetchBytes);
            Sse.Prefetch0(b3 + offset + PrefetchBytes);
        }
    }
}
