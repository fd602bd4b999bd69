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
        TVector zero = TSimd.Broadcast(0);
        for (int h = 0; h < heads; h++)
        {
            float* query = queries + ((long)h * dimension);
            int d = 0;
            for (; d + TSimd.Width <= dimension; d += TSimd.Width)
            {
                TVector q = TSimd.Load(query + d);
                TSimd.Store(TSimd.Add(TSimd.Load(sums + d), TSimd.Min(q, zero)), sums + d);
                TSimd.Store(TSimd.Add(TSimd.Load(sums + dimension + d), TSimd.Max(q, zero)), sums + dimension + d);
            }

            for (; d < dimension; d++)
            {
                float q = query[d];
                sums[d] += q < 0 ? q : 0;
                sums[dimension + d] += q > 0 ? q : 0;
            }
        }

        TElement.Order(sums, negative, dimension, TSimd.Width);
        TElement.Order(sums + dimension, positive, dimension, TSimd.Width);
        Multiply(negative, positive, bounds, pages, dimension, scores);
    }

    // Four pages at a time, one after the other in the order of their addresses, which the processor's own prefetching follows.
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Multiply(float* negative, float* positive, byte* bounds, int pages, int dimension, float* scores)
    {
        long page = 2L * dimension * TElement.Size;
        int whole = dimension / Step * Step;
        int p = 0;
        for (; p + 4 <= pages; p += 4)
        {
            TVector s0 = MultiplyPage(negative, positive, bounds, whole, dimension);
            TVector s1 = MultiplyPage(negative, positive, bounds + page, whole, dimension);
            TVector s2 = MultiplyPage(negative, positive, bounds + (2 * page), whole, dimension);
            TVector s3 = MultiplyPage(negative, positive, bounds + (3 * page), whole, dimension);
            TSimd.Sum(s0, s1, s2, s3).Store(scores + p);
            for (int i = 0; whole < dimension && i < 4; i++)
            {
                scores[p + i] += MultiplyRest(negative, positive, bounds + (i * page), whole, dimension);
            }

            bounds += 4 * page;
        }

        for (; p < pages; p++)
        {
            // Summed as the pages of four, so that a score does not depend on where a list begins.
            TVector s = MultiplyPage(negative, positive, bounds, whole, dimension);
            scores[p] = TSimd.Sum(s, s, s, s)[0] + MultiplyRest(negative, positive, bounds, whole, dimension);
            bounds += page;
        }
    }

    // By lane the products of a page's elements that fill vectors, in two sums that do not wait for each other.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector MultiplyPage(float* negative, float* positive, byte* page, int whole, int dimension)
    {
        TVector s0 = TSimd.Broadcast(0);
        TVector s1 = s0;
        for (int d = 0; d < whole; d += Step)
        {
            Prefetch(page);
            s0 = TSimd.MultiplyAdd(TSimd.Load(negative + d), TElement.LoadFirst<TSimd, TVector>(page), s0);
            s1 = TSimd.MultiplyAdd(TSimd.Load(negative + d + TSimd.Width), TElement.LoadSecond<TSimd, TVector>(page), s1);
            page += Step * TElement.Size;
        }

        page += (dimension - whole) * TElement.Size;
        for (int d = 0; d < whole; d += Step)
        {
            Prefetch(page);
            s0 = TSimd.MultiplyAdd(TSimd.Load(positive + d), TElement.LoadFirst<TSimd, TVector>(page), s0);
            s1 = TSimd.MultiplyAdd(TSimd.Load(positive + d + TSimd.Width), TElement.LoadSecond<TSimd, TVector>(page), s1);
            page += Step * TElement.Size;
        }

        return TSimd.Add(s0, s1);
    }

    // The products of the elements that do not fill vectors.
    private static float MultiplyRest(float* negative, float* positive, byte* page, int whole, int dimension)
    {
        float sum = 0;
        for (int d = whole; d < dimension; d++)
        {
            byte* minimum = page + ((long)d * TElement.Size);
            sum += negative[d] * TElement.LoadScalar(minimum);
            sum += positive[d] * TElement.LoadScalar(minimum + ((long)dimension * TElement.Size));
        }

        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(byte* address)
    {
        for (int i = 0; Sse.IsSupported && i < Step * TElement.Size; i += 64)
        {
            Sse.Prefetch0(address + i + PrefetchBytes);
        }
    }
}
