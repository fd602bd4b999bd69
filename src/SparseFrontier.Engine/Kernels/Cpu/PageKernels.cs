using System.Runtime.CompilerServices;

namespace SparseFrontier.Kernels.Cpu;

/// <summary>Bounds of the keys of a page, and the largest score that a key within them could have. Cost: one pass over the keys, or the bounds.</summary>
internal static unsafe class PageKernels<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    /// <summary>minima = min(minima, keys), maxima = max(maxima, keys).</summary>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void ExtendBounds(float* keys, int rows, int dimension, float* minima, float* maxima)
    {
        int d = 0;
        for (; d + TSimd.Width <= dimension; d += TSimd.Width)
        {
            TVector minimum = TSimd.Load(minima + d);
            TVector maximum = TSimd.Load(maxima + d);
            for (int r = 0; r < rows; r++)
            {
                TVector key = TSimd.Load(keys + ((long)r * dimension) + d);
                minimum = TSimd.Min(minimum, key);
                maximum = TSimd.Max(maximum, key);
            }

            TSimd.Store(minimum, minima + d);
            TSimd.Store(maximum, maxima + d);
        }

        for (; d < dimension; d++)
        {
            for (int r = 0; r < rows; r++)
            {
                minima[d] = MathF.Min(minima[d], keys[((long)r * dimension) + d]);
                maxima[d] = MathF.Max(maxima[d], keys[((long)r * dimension) + d]);
            }
        }
    }

    /// <summary>scores[p] = Σ_d max(q_d · minimum_d, q_d · maximum_d).</summary>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void Score(float* query, float* minima, float* maxima, int pages, int dimension, float* scores)
    {
        for (int p = 0; p < pages; p++)
        {
            float* minimum = minima + ((long)p * dimension);
            float* maximum = maxima + ((long)p * dimension);
            TVector lanes = TSimd.Broadcast(0);
            int d = 0;
            for (; d + TSimd.Width <= dimension; d += TSimd.Width)
            {
                TVector q = TSimd.Load(query + d);
                lanes = TSimd.Add(lanes, TSimd.Max(TSimd.Multiply(q, TSimd.Load(minimum + d)), TSimd.Multiply(q, TSimd.Load(maximum + d))));
            }

            float sum = TSimd.Sum(lanes);
            for (; d < dimension; d++)
            {
                sum += MathF.Max(query[d] * minimum[d], query[d] * maximum[d]);
            }

            scores[p] = sum;
        }
    }
}
