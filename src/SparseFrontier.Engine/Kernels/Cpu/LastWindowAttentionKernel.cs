using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels.Cpu;

/// <summary>
/// Sums of the softmax weights of the last queries of a head by key and by offset query - key. Runs on the calling thread: callers spread heads over
/// threads. Cost: dimension multiply-adds and two exponentials a pair, and as many multiply-adds again for the pairs beyond those whose scores are kept.
/// </summary>
/// <remarks>
/// Lanes are queries, 64 at a time. A first pass over the keys computes the scores and each query's maximum and sum, a second adds up the weights. The
/// scores of the first 16384 keys wait in 4 MiB of scratch memory, whose reading takes a fraction of computing them again; those of later keys are
/// computed again, so that memory does not grow with the prompt. For a key, weights are added lane by lane over the queries, and across lanes in the
/// end. For the offsets a vector of weights falls on consecutive offsets and is added as it is; keys are taken 16 apart, because neighbours' vectors
/// overlap all but one element and an addition would wait for the one before it to reach the cache.
/// </remarks>
internal static unsafe class LastWindowAttentionKernel<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    private const int ChunkKeys = 128;
    private const int TaskRows = PrefillTiles<TSimd, TVector>.TaskRows;
    private const int KeyGroup = PrefillTiles<TSimd, TVector>.KeyGroup;
    private const int ChunkFloats = ChunkKeys * TaskRows;
    private const int KeptChunks = (4 << 20) / sizeof(float) / ChunkFloats;

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
        int chunks = Math.Min((rows + ChunkKeys - 1) / ChunkKeys, KeptChunks + 1);
        int offsets = diagonalSums.IsEmpty ? 0 : rows + (2 * Margin);
        const int AddressFloats = 2 * ChunkKeys * sizeof(ulong) / sizeof(float);
        float* scratch = ThreadScratch.Rent(
            ((long)TaskRows * (queries.Dimension + 2)) + ((long)chunks * ChunkFloats) + (2 * ChunkKeys * TSimd.Width) + AddressFloats + (2 * ChunkKeys) + offsets);
        var tile = default(Tile);
        tile.Queries = queries;
        tile.Keys = keys;
        tile.QueryHead = queryHead;
        tile.KvHead = queryHead / (queries.Heads / keys.Heads);
        tile.Transposed = scratch;
        tile.Maxima = tile.Transposed + ((long)TaskRows * queries.Dimension);
        tile.Sums = tile.Maxima + TaskRows;
        tile.Scores = tile.Sums + TaskRows;
        tile.KeySums = tile.Scores + ((long)chunks * ChunkFloats);
        tile.KeyMaxima = tile.KeySums + (ChunkKeys * TSimd.Width);
        tile.Addresses = (float**)(tile.KeyMaxima + (ChunkKeys * TSimd.Width));
        tile.Indices = (int*)(tile.Addresses + (2 * ChunkKeys));
        tile.OffsetSums = offsets == 0 ? null : (float*)(tile.Indices + (2 * ChunkKeys));
        columnSums.Clear();
        columnMaxima.Clear();
        new Span<float>(tile.OffsetSums, offsets).Clear();
        for (int first = rows - window; first < rows; first += TaskRows)
        {
            tile.First = first;
            tile.Count = Math.Min(TaskRows, rows - first);
            PrefillTiles<TSimd, TVector>.TransposeQueries(queries, queryHead, first, tile.Count, scale, tile.Transposed);
            Measure(tile);
            Distribute(tile, columnSums, columnMaxima);
        }

        new ReadOnlySpan<float>(tile.OffsetSums + Margin, diagonalSums.Length).CopyTo(diagonalSums);
    }

    // The first pass: each query's maximum, and the reciprocal of its sum.
    private static void Measure(Tile tile)
    {
        new Span<float>(tile.Maxima, TaskRows).Fill(PrefillTiles<TSimd, TVector>.Masked);
        new Span<float>(tile.Sums, TaskRows).Clear();
        ListKeys(tile, 0);
        for (int key = 0; key < tile.First + tile.Count; key += ChunkKeys)
        {
            Score(tile, key);
            for (int lane = 0; lane < tile.Count; lane += PrefillTiles<TSimd, TVector>.LaneBlock)
            {
                (int lanes, int count) = Extent(tile, lane, key);
                AddUp(Scores(tile, key) + (lane * ChunkKeys), lanes, count, tile.Maxima + lane, tile.Sums + lane);
            }
        }

        // Lanes beyond the last row count for nothing, nor do rows whose scores are all -∞: their largest are those of masked keys.
        for (int q = 0; q < TaskRows; q++)
        {
            tile.Sums[q] = q < tile.Count && !(tile.Maxima[q] <= PrefillTiles<TSimd, TVector>.Masked) ? 1 / tile.Sums[q] : 0;
        }
    }

    // The second pass: weights by key and by offset.
    private static void Distribute(Tile tile, Span<float> columnSums, Span<float> columnMaxima)
    {
        float* maxima = columnMaxima.IsEmpty ? null : tile.KeyMaxima;
        for (int key = 0; key < tile.First + tile.Count; key += ChunkKeys)
        {
            if (key >= KeptChunks * ChunkKeys)
            {
                if (key == KeptChunks * ChunkKeys)
                {
                    ListKeys(tile, key);
                }

                Score(tile, key);
            }

            new Span<float>(tile.KeySums, ChunkKeys * TSimd.Width).Clear();
            new Span<float>(tile.KeyMaxima, ChunkKeys * TSimd.Width).Clear();
            for (int lane = 0; lane < tile.Count; lane += PrefillTiles<TSimd, TVector>.LaneBlock)
            {
                (int lanes, int count) = Extent(tile, lane, key);
                float* offsets = tile.OffsetSums == null ? null : tile.OffsetSums + Margin + tile.First + lane - key;
                Spread(Scores(tile, key) + (lane * ChunkKeys), lanes, count, tile.Maxima + lane, tile.Sums + lane, tile.KeySums, maxima, offsets);
            }

            int real = Real(tile, key);
            AddKeys(tile.KeySums, columnSums.IsEmpty ? default : columnSums.Slice(key, real));
            for (int k = 0; k < real && !columnMaxima.IsEmpty; k++)
            {
                columnMaxima[key + k] = MathF.Max(columnMaxima[key + k], TSimd.Maximum(TSimd.Load(tile.KeyMaxima + (k * TSimd.Width))));
            }
        }
    }

    // Scores of the queries with a chunk of keys, masked; no keys that come after all of a block of queries. The next keys are listed and fetched.
    private static void Score(Tile tile, int key)
    {
        int dimension = tile.Queries.Dimension;
        int slot = key & ChunkKeys;
        int real = Real(tile, key);
        int next = ListKeys(tile, key + ChunkKeys);
        for (int lane = 0; lane < tile.Count; lane += PrefillTiles<TSimd, TVector>.LaneBlock)
        {
            (int lanes, int count) = Extent(tile, lane, key);
            float* scores = Scores(tile, key) + (lane * ChunkKeys);
            PrefillTiles<TSimd, TVector>.Score(
                tile.Transposed + ((long)lane * dimension),
                lanes,
                tile.Addresses + slot,
                count,
                count,
                dimension,
                scores,
                tile.Addresses + (slot ^ ChunkKeys),
                next,
                KeyGroup);
            next = 0;
            if (count > real || key + count > tile.First + lane)
            {
                PrefillTiles<TSimd, TVector>.Mask(scores, lanes, tile.Indices + slot, count, count, tile.First + lane, int.MaxValue);
            }
        }
    }

    // [TaskRows / LaneBlock][ChunkKeys][LaneBlock]; of chunks that are not kept the same memory for each.
    private static float* Scores(Tile tile, int key) => tile.Scores + (Math.Min(key / ChunkKeys, KeptChunks) * (long)ChunkFloats);

    // Lanes in use of a block of queries, and keys of a chunk that are not after all of them, whole vectors and groups.
    private static (int Lanes, int Count) Extent(Tile tile, int lane, int key)
    {
        int rows = Math.Min(PrefillTiles<TSimd, TVector>.LaneBlock, tile.Count - lane);
        int seen = Math.Clamp(tile.First + lane + rows - key, 0, Real(tile, key));
        return (PrefillTask<TSimd, TVector>.RoundUp(rows, TSimd.Width), PrefillTask<TSimd, TVector>.RoundUp(seen, KeyGroup));
    }

    // How many keys a chunk has.
    private static int Real(Tile tile, int key) => Math.Clamp(tile.First + tile.Count - key, 0, ChunkKeys);

    // Keys of a chunk, filled up to a whole group with keys that no row sees. Returns how many there are then.
    private static int ListKeys(Tile tile, int key)
    {
        int slot = key & ChunkKeys;
        int real = Real(tile, key);
        int count = PrefillTask<TSimd, TVector>.RoundUp(real, KeyGroup);
        for (int k = 0; k < count; k++)
        {
            tile.Addresses[slot + k] = tile.Keys.Row(tile.KvHead, key + Math.Min(k, real - 1));
            tile.Indices[slot + k] = k < real ? key + k : int.MaxValue;
        }

        return count;
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

            TVector sum = TSimd.Multiply(TSimd.Load(sums + q), SimdMath<TSimd, TVector>.Weight(TSimd.Subtract(before, maximum)));
            for (int k = 0; k < count; k++)
            {
                sum = TSimd.Add(sum, SimdMath<TSimd, TVector>.Weight(TSimd.Subtract(TSimd.Load(scores + (k * stride) + q), maximum)));
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
                        SimdMath<TSimd, TVector>.Weight(TSimd.Subtract(TSimd.Load(scores + (k * stride) + q), maximum)), reciprocal);
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

    // Some queries, and scratch memory; addresses and indices of two chunks in turn.
    private struct Tile
    {
        public HeadTensor Queries;
        public HeadTensor Keys;
        public int QueryHead;
        public int KvHead;
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
