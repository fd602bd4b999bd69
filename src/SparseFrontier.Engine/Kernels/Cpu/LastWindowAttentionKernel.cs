using System.Runtime.CompilerServices;
using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels.Cpu;

/// <summary>
/// Sums of the softmax weights of the last queries of a head by key and by offset query - key, without keeping the scores. Runs on the calling
/// thread: callers spread heads over threads. Cost: 2 · dimension multiply-adds and two exponentials a pair.
/// </summary>
/// <remarks>
/// Lanes are queries, 64 at a time. A first pass over the keys finds each query's maximum and sum, a second computes the scores again and adds
/// up the weights: across lanes for a key; for the offsets a vector of weights falls on consecutive offsets and is added as it is.
/// </remarks>
internal static unsafe class LastWindowAttentionKernel<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    private const int ChunkKeys = 128;
    private const int Stride = AttentionTiles<TSimd, TVector>.QueryStride;

    public static void Run(
        HeadTensor queries,
        HeadTensor keys,
        int queryHead,
        int window,
        float scale,
        Span<float> columnSums,
        Span<float> diagonalSums,
        Span<float> columnMaxima)
    {
        int rows = queries.Rows;
        int dimension = queries.Dimension;
        int kvHead = queryHead / (queries.Heads / keys.Heads);
        const int AddressFloats = ChunkKeys * sizeof(ulong) / sizeof(float);

        // Offsets of masked lanes are negative, those of lanes beyond the last row too large: both fall into margins.
        long offsets = rows + (2 * Stride);
        float* transposed = ThreadScratch.Rent(((long)dimension * Stride) + (ChunkKeys * Stride) + (2 * Stride) + AddressFloats + ChunkKeys + (2L * rows) + offsets);
        float* scores = transposed + ((long)dimension * Stride);
        float* maxima = scores + (ChunkKeys * Stride);
        float* sums = maxima + Stride;
        float** addresses = (float**)(sums + Stride);
        int* indices = (int*)(addresses + ChunkKeys);
        float* byKey = (float*)(indices + ChunkKeys);
        float* largest = byKey + rows;
        float* byOffset = largest + rows;
        new Span<float>(byKey, rows).Clear();
        new Span<float>(largest, rows).Clear();
        new Span<float>(byOffset, (int)offsets).Clear();
        for (int first = rows - window; first < rows; first += Stride)
        {
            int tileRows = Math.Min(Stride, rows - first);
            int lastRow = first + tileRows - 1;
            int lanes = (tileRows + TSimd.Width - 1) / TSimd.Width * TSimd.Width;
            AttentionTiles<TSimd, TVector>.TransposeQueries(queries, queryHead, first, tileRows, scale, transposed);
            new Span<float>(maxima, Stride).Fill(AttentionTiles<TSimd, TVector>.Masked);
            new Span<float>(sums, Stride).Clear();
            for (int pass = 0; pass < 2; pass++)
            {
                for (int key = 0; key <= lastRow; key += ChunkKeys)
                {
                    int count = ListKeys(keys, kvHead, key, lastRow, addresses, indices);
                    AttentionTiles<TSimd, TVector>.Score(transposed, lanes, addresses, count, dimension, scores);
                    if (key + count > first)
                    {
                        AttentionTiles<TSimd, TVector>.Mask(scores, lanes, indices, count, first, lastRow, int.MaxValue);
                    }

                    int real = Math.Min(count, lastRow + 1 - key);
                    if (pass == 0)
                    {
                        Measure(scores, lanes, real, maxima, sums);
                    }
                    else
                    {
                        Distribute(scores, lanes, real, maxima, sums, byKey + key, largest + key, byOffset + Stride + first - key);
                    }
                }

                // From here on the reciprocal; lanes beyond the last row count for nothing.
                for (int q = 0; q < Stride && pass == 0; q++)
                {
                    sums[q] = q < tileRows ? 1 / sums[q] : 0;
                }
            }
        }

        new ReadOnlySpan<float>(byKey, columnSums.Length).CopyTo(columnSums);
        new ReadOnlySpan<float>(largest, columnMaxima.Length).CopyTo(columnMaxima);
        new ReadOnlySpan<float>(byOffset + Stride, diagonalSums.Length).CopyTo(diagonalSums);
    }

    // Keys from `first`, filled up to a whole group with keys that no row sees.
    private static int ListKeys(HeadTensor keys, int kvHead, int first, int lastRow, float** addresses, int* indices)
    {
        int real = Math.Min(ChunkKeys, lastRow + 1 - first);
        const int Group = AttentionTiles<TSimd, TVector>.KeyGroup;
        int count = (real + Group - 1) / Group * Group;
        for (int k = 0; k < count; k++)
        {
            addresses[k] = keys.Row(kvHead, first + Math.Min(k, real - 1));
            indices[k] = k < real ? first + k : int.MaxValue;
        }

        return count;
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Measure(float* scores, int lanes, int count, float* maxima, float* sums)
    {
        for (int q = 0; q < lanes; q += TSimd.Width)
        {
            TVector before = TSimd.Load(maxima + q);
            TVector maximum = before;
            for (int k = 0; k < count; k++)
            {
                maximum = TSimd.Max(maximum, TSimd.Load(scores + (k * Stride) + q));
            }

            TVector sum = TSimd.Multiply(TSimd.Load(sums + q), SimdMath<TSimd, TVector>.Exp2(TSimd.Subtract(before, maximum)));
            for (int k = 0; k < count; k++)
            {
                sum = TSimd.Add(sum, SimdMath<TSimd, TVector>.Exp2(TSimd.Subtract(TSimd.Load(scores + (k * Stride) + q), maximum)));
            }

            TSimd.Store(maximum, maxima + q);
            TSimd.Store(sum, sums + q);
        }
    }

    // byOffset points at the offset of the first lane and the first key.
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Distribute(float* scores, int lanes, int count, float* maxima, float* reciprocals, float* byKey, float* largest, float* byOffset)
    {
        for (int k = 0; k < count; k++)
        {
            float* row = scores + (k * Stride);
            TVector sum = TSimd.Broadcast(0);
            TVector maximum = sum;
            for (int q = 0; q < lanes; q += TSimd.Width)
            {
                TVector weight = TSimd.Multiply(
                    SimdMath<TSimd, TVector>.Exp2(TSimd.Subtract(TSimd.Load(row + q), TSimd.Load(maxima + q))),
                    TSimd.Load(reciprocals + q));
                sum = TSimd.Add(sum, weight);
                maximum = TSimd.Max(maximum, weight);
                TSimd.Store(TSimd.Add(TSimd.Load(byOffset - k + q), weight), byOffset - k + q);
            }

            byKey[k] += TSimd.Sum(sum);
            largest[k] = MathF.Max(largest[k], TSimd.Maximum(maximum));
        }
    }
}
