using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels.Cpu;

/// <summary>
/// Sums of the softmax weights of the last queries of a head by key and by offset query - key, without keeping the scores. Runs on the calling
/// thread: callers spread heads over threads. Cost: 2 · dimension multiply-adds and two exponentials a pair.
/// </summary>
/// <remarks>
/// Lanes are queries, up to 512 at a time. A first pass over the keys finds each query's maximum and sum, a second computes the scores again and
/// adds up the weights. For a key, weights are added lane by lane over all queries, and across lanes in the end. For the offsets a vector of
/// weights falls on consecutive offsets and is added as it is; keys are taken 16 apart, because neighbours' vectors overlap all but one element
/// and an addition would wait for the one before it to reach the cache.
/// </remarks>
internal static unsafe class LastWindowAttentionKernel<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    private const int ChunkKeys = 128;
    private const int MaximumQueries = 512;
    private const int TaskRows = PrefillTiles<TSimd, TVector>.TaskRows;
    private const int KeyGroup = PrefillTiles<TSimd, TVector>.KeyGroup;

    // Offsets of masked lanes are negative, by less than a block of lanes and a group of keys.
    private const int Margin = TaskRows;

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
        int tileQueries = (Math.Min(window, MaximumQueries) + TaskRows - 1) / TaskRows * TaskRows;
        int offsets = diagonalSums.IsEmpty ? 0 : rows + (2 * Margin);
        const int AddressFloats = ChunkKeys * sizeof(ulong) / sizeof(float);
        float* scratch = ThreadScratch.Rent(
            ((long)tileQueries * (queries.Dimension + 2)) + ((long)ChunkKeys * PrefillTiles<TSimd, TVector>.LaneBlock) + (2 * ChunkKeys * TSimd.Width)
            + AddressFloats + ChunkKeys + offsets);
        var tile = default(Tile);
        tile.Queries = queries;
        tile.Keys = keys;
        tile.QueryHead = queryHead;
        tile.KvHead = queryHead / (queries.Heads / keys.Heads);
        tile.Scale = scale;
        tile.Transposed = scratch;
        tile.Maxima = tile.Transposed + ((long)tileQueries * queries.Dimension);
        tile.Sums = tile.Maxima + tileQueries;
        tile.Scores = tile.Sums + tileQueries;
        tile.KeySums = tile.Scores + ((long)ChunkKeys * PrefillTiles<TSimd, TVector>.LaneBlock);
        tile.KeyMaxima = tile.KeySums + (ChunkKeys * TSimd.Width);
        tile.Addresses = (float**)(tile.KeyMaxima + (ChunkKeys * TSimd.Width));
        tile.Indices = (int*)(tile.Addresses + ChunkKeys);
        tile.OffsetSums = offsets == 0 ? null : (float*)(tile.Indices + ChunkKeys);
        columnSums.Clear();
        columnMaxima.Clear();
        new Span<float>(tile.OffsetSums, offsets).Clear();
        for (int first = rows - window; first < rows; first += MaximumQueries)
        {
            tile.First = first;
            tile.Count = Math.Min(MaximumQueries, rows - first);
            Measure(tile);
            Distribute(tile, columnSums, columnMaxima);
        }

        new ReadOnlySpan<float>(tile.OffsetSums + Margin, diagonalSums.Length).CopyTo(diagonalSums);
    }

    // The first pass: each query's maximum, and the reciprocal of its sum.
    private static void Measure(Tile tile)
    {
        int dimension = tile.Queries.Dimension;
        for (int row = 0; row < tile.Count; row += TaskRows)
        {
            PrefillTiles<TSimd, TVector>.TransposeQueries(
                tile.Queries, tile.QueryHead, tile.First + row, Math.Min(TaskRows, tile.Count - row), tile.Scale, tile.Transposed + ((long)row * dimension));
        }

        int padded = PrefillTask<TSimd, TVector>.RoundUp(tile.Count, TaskRows);
        new Span<float>(tile.Maxima, padded).Fill(PrefillTiles<TSimd, TVector>.Masked);
        new Span<float>(tile.Sums, padded).Clear();
        for (int key = 0; key < tile.First + tile.Count; key += ChunkKeys)
        {
            int real = ListKeys(tile, key);
            for (int lane = 0; lane < tile.Count; lane += PrefillTiles<TSimd, TVector>.LaneBlock)
            {
                (int lanes, int count) = Score(tile, lane, key, real);
                AddUp(tile.Scores, lanes, count, tile.Maxima + lane, tile.Sums + lane);
            }
        }

        // Lanes beyond the last row count for nothing.
        for (int q = 0; q < padded; q++)
        {
            tile.Sums[q] = q < tile.Count ? 1 / tile.Sums[q] : 0;
        }
    }

    // The second pass: weights by key and by offset.
    private static void Distribute(Tile tile, Span<float> columnSums, Span<float> columnMaxima)
    {
        float* maxima = columnMaxima.IsEmpty ? null : tile.KeyMaxima;
        for (int key = 0; key < tile.First + tile.Count; key += ChunkKeys)
        {
            int real = ListKeys(tile, key);
            new Span<float>(tile.KeySums, ChunkKeys * TSimd.Width).Clear();
            new Span<float>(tile.KeyMaxima, ChunkKeys * TSimd.Width).Clear();
            for (int lane = 0; lane < tile.Count; lane += PrefillTiles<TSimd, TVector>.LaneBlock)
            {
                (int lanes, int count) = Score(tile, lane, key, real);
                float* offsets = tile.OffsetSums == null ? null : tile.OffsetSums + Margin + tile.First + lane - key;
                Spread(tile.Scores, lanes, count, tile.Maxima + lane, tile.Sums + lane, tile.KeySums, maxima, offsets);
            }

            AddKeys(tile.KeySums, columnSums.IsEmpty ? default : columnSums.Slice(key, real));
            for (int k = 0; k < real && !columnMaxima.IsEmpty; k++)
            {
                columnMaxima[key + k] = MathF.Max(columnMaxima[key + k], TSimd.Maximum(TSimd.Load(tile.KeyMaxima + (k * TSimd.Width))));
            }
        }
    }

    // Scores of a block of queries with the chunk's keys, masked; no keys that come after all of the block.
    private static (int Lanes, int Count) Score(Tile tile, int lane, int firstKey, int real)
    {
        int rows = Math.Min(PrefillTiles<TSimd, TVector>.LaneBlock, tile.Count - lane);
        int first = tile.First + lane;
        int seen = Math.Clamp(first + rows - firstKey, 0, real);
        int count = PrefillTask<TSimd, TVector>.RoundUp(seen, KeyGroup);
        int lanes = PrefillTask<TSimd, TVector>.RoundUp(rows, TSimd.Width);
        int dimension = tile.Queries.Dimension;
        PrefillTiles<TSimd, TVector>.Score(tile.Transposed + ((long)lane * dimension), lanes, tile.Addresses, count, count, dimension, tile.Scores, null, 0, 1);
        if (count > real || firstKey + count > first)
        {
            PrefillTiles<TSimd, TVector>.Mask(tile.Scores, lanes, tile.Indices, count, first, int.MaxValue);
        }

        return (lanes, count);
    }

    // Keys from `first`, filled up to a whole group with keys that no row sees.
    private static int ListKeys(Tile tile, int first)
    {
        int real = Math.Min(ChunkKeys, tile.First + tile.Count - first);
        int count = PrefillTask<TSimd, TVector>.RoundUp(real, KeyGroup);
        for (int k = 0; k < count; k++)
        {
            tile.Addresses[k] = tile.Keys.Row(tile.KvHead, first + Math.Min(k, real - 1));
            tile.Indices[k] = k < real ? first + k : int.MaxValue;
        }

        return real;
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void AddUp(float* scores, int lanes, int count, float* maxima, float* sums)
    {
        int stride = PrefillTiles<TSimd, TVector>.LaneBlock;
        for (int q = 0; q < lanes; q += TSimd.Width)
        {
            TVector before = TSimd.Load(maxima + q);
            TVector maximum = before;
            for (int k = 0; k < count; k++)
            {
                maximum = TSimd.Max(maximum, TSimd.Load(scores + (k * stride) + q));
            }

            TVector sum = TSimd.Multiply(TSimd.Load(sums + q), SimdMath<TSimd, TVector>.Exp2(TSimd.Subtract(before, maximum)));
            for (int k = 0; k < count; k++)
            {
                sum = TSimd.Add(sum, SimdMath<TSimd, TVector>.Exp2(TSimd.Subtract(TSimd.Load(scores + (k * stride) + q), maximum)));
            }

            TSimd.Store(maximum, maxima + q);
            TSimd.Store(sum, sums + q);
        }
    }

    // byOffset points at the offset of the first lane and the first key, or is null; so may be largest.
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Spread(float* scores, int lanes, int count, float* maxima, float* reciprocals, float* byKey, float* largest, float* byOffset)
    {
        const int Apart = 16;
        int stride = PrefillTiles<TSimd, TVector>.LaneBlock;
        for (int q = 0; q < lanes; q += TSimd.Width)
        {
            TVector maximum = TSimd.Load(maxima + q);
            TVector reciprocal = TSimd.Load(reciprocals + q);
            for (int first = 0; first < Apart; first++)
            {
                for (int k = first; k < count; k += Apart)
                {
                    TVector weight = TSimd.Multiply(
                        SimdMath<TSimd, TVector>.Exp2(TSimd.Subtract(TSimd.Load(scores + (k * stride) + q), maximum)), reciprocal);
                    float* sum = byKey + (k * TSimd.Width);
                    TSimd.Store(TSimd.Add(TSimd.Load(sum), weight), sum);
                    if (largest != null)
                    {
                        float* most = largest + (k * TSimd.Width);
                        TSimd.Store(TSimd.Max(TSimd.Load(most), weight), most);
                    }

                    if (byOffset != null)
                    {
                        float* offset = byOffset - k + q;
                        TSimd.Store(TSimd.Add(TSimd.Load(offset), weight), offset);
                    }
                }
            }
        }
    }

    // Adds the lanes of each key's sum to the columns.
    private static void AddKeys(float* sums, Span<float> columns)
    {
        int width = TSimd.Width;
        int k = 0;
        for (; k + 4 <= columns.Length; k += 4)
        {
            float* sum = sums + (k * width);
            Vector128<float> four = TSimd.Sum(TSimd.Load(sum), TSimd.Load(sum + width), TSimd.Load(sum + (2 * width)), TSimd.Load(sum + (3 * width)));
            columns[k] += four[0];
            columns[k + 1] += four[1];
            columns[k + 2] += four[2];
            columns[k + 3] += four[3];
        }

        for (; k < columns.Length; k++)
        {
            columns[k] += TSimd.Sum(TSimd.Load(sums + (k * width)));
        }
    }

    // Some queries, and scratch memory.
    private struct Tile
    {
        public HeadTensor Queries;
        public HeadTensor Keys;
        public int QueryHead;
        public int KvHead;
        public float Scale;
        public int First;
        public int Count;
        public float* Transposed;
        public float* Maxima;
        public float* Sums;
        public float* Scores;
        public float* KeySums;
        public float* KeyMaxima;
        public float** Addresses;
        public int* Indices;
        public float* OffsetSums;
    }
}
