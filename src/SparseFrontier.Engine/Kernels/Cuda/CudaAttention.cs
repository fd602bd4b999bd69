using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels.Cuda;

/// <summary>Addresses of arrays on the device, by cache: its keys and values, and those of its tail, moved back so that token t is row t; 0 without tails.</summary>
/// <param name="Keys">[caches] addresses.</param>
/// <param name="Values">[caches] addresses.</param>
/// <param name="TailKeys">[caches] addresses.</param>
/// <param name="TailValues">[caches] addresses.</param>
/// <param name="Splits">[caches] int: tokens before the tail.</param>
internal readonly record struct CudaCacheAddresses(ulong Keys, ulong Values, ulong TailKeys, ulong TailValues, ulong Splits);

/// <summary>Token lists at addresses on the device; see <see cref="CudaTokenLists"/>.</summary>
/// <param name="Count">Number of lists.</param>
/// <param name="Maximum">Tokens of the longest list.</param>
/// <param name="PageSize">Tokens of a page; 0 where the lists are all tokens of each cache.</param>
/// <param name="Counts">[lists] int: tokens of each.</param>
/// <param name="Offsets">[lists] long: where each list's pages begin; 0 without pages.</param>
/// <param name="PageIndices">int; 0 without pages.</param>
/// <param name="Ready">[lists] int: not 0 where the kernel before, which chooses, is done with a list, so that attention may begin while it runs; 0: it may not.</param>
internal readonly record struct CudaTokenListView(int Count, int Maximum, int PageSize, ulong Counts, ulong Offsets, ulong PageIndices, ulong Ready);

/// <summary>Attention over operands on the device: nothing waits, nothing goes through the host.</summary>
internal static class CudaAttention
{
    private const int MaximumDimension = 256;
    private const int MostPieces = 32;
    private const int FewestTokensOfPiece = 128;
    private const int MostStages = 6;
    private const float Log2E = 1.44269504088896341f;

    /// <summary>Attention of prompt rows over the keys of plans; see prefill.cu.</summary>
    /// <param name="queries">[query heads, rows, dimension].</param>
    /// <param name="keys">[KV heads, keys, dimension].</param>
    /// <param name="values">[KV heads, keys, dimension].</param>
    /// <param name="scale">Usually 1/√dimension; positive.</param>
    /// <param name="plans">One plan per query head, or one for all.</param>
    /// <param name="slidingWindow">0, or the number of latest keys that a row may see.</param>
    /// <param name="output">[query heads, rows, dimension].</param>
    /// <param name="logSumExp">[query heads, rows] float32, or null.</param>
    public static void Prefill(
        CudaVectors queries, CudaVectors keys, CudaVectors values, float scale, CudaPlans plans, int slidingWindow, CudaVectors output, CudaMemory? logSumExp)
    {
        RequireDimension(queries.Dimension);
        int head = RoundUp(queries.Dimension, 16);
        int rows = plans.TileRows;
        int stepKeys = CudaPlans.StepKeys(rows, head);
        int threads = rows * 2;

        // As struct Shared of the source.
        int sharedBytes = (2 * (rows + (2 * stepKeys)) * (head + 8)) + (4 * ((2 * stepKeys) + stepKeys + threads + (rows / 16)));
        queries.Device.Function("prefill.cu", "prefill", queries.TypeDefinition, ("HEAD", head), ("ROWS", rows), ("KEYS", stepKeys)).Launch(
            (plans.TileCount, queries.Heads, 1),
            threads,
            sharedBytes,
            queries.Address,
            keys.Address,
            values.Address,
            output.Address,
            logSumExp,
            plans.Tiles,
            plans.Ranges,
            plans.ColumnOffsets,
            plans.ColumnCounts,
            plans.Columns,
            plans.Count,
            queries.Heads / keys.Heads,
            queries.Width,
            queries.Rows,
            plans.FirstPosition,
            slidingWindow,
            scale * Log2E,
            queries.HeadStride,
            queries.RowStride,
            keys.HeadStride,
            keys.RowStride,
            output.HeadStride,
            output.RowStride);
    }

    /// <summary>Attention of one query per head over cached tokens, for all sequences of a batch; see decode.cu.</summary>
    /// <param name="queries">[sequences x query heads, 1, dimension].</param>
    /// <param name="keys">[sequences x KV heads, capacity, dimension].</param>
    /// <param name="values">[sequences x KV heads, capacity, dimension].</param>
    /// <param name="scale">Usually 1/√dimension.</param>
    /// <param name="lists">A list per cache, or one per query.</param>
    /// <param name="output">[sequences x query heads, 1, dimension].</param>
    /// <param name="logSumExp">[sequences x query heads] float32, or null.</param>
    public static void Decode(CudaVectors queries, CudaVectors keys, CudaVectors values, float scale, CudaTokenLists lists, CudaVectors output, CudaMemory? logSumExp)
    {
        CudaDevice device = queries.Device;
        ulong[] keyBases = new ulong[keys.Heads];
        ulong[] valueBases = new ulong[keys.Heads];
        for (int i = 0; i < keys.Heads; i++)
        {
            keyBases[i] = keys.Address + (ulong)(i * keys.HeadStride * 2);
            valueBases[i] = values.Address + (ulong)(i * values.HeadStride * 2);
        }

        using var keyAddresses = CudaMemory.From<ulong>(device, keyBases);
        using var valueAddresses = CudaMemory.From<ulong>(device, valueBases);
        var caches = new CudaCacheAddresses(keyAddresses.Address, valueAddresses.Address, 0, 0, 0);
        using var scratch = CudaMemory.Allocate(device, DecodeScratchBytes(queries.Dimension, queries.Heads, lists.Maximum));
        Decode(
            device,
            queries.Type,
            queries.Dimension,
            queries.Address,
            queries.Heads,
            queries.Heads / keys.Heads,
            caches,
            (int)keys.RowStride,
            scale,
            lists.View,
            output.Address,
            logSumExp,
            scratch.Address,
            0);
    }

    /// <summary>As <see cref="Decode(CudaVectors, CudaVectors, CudaVectors, float, CudaTokenLists, CudaVectors, CudaMemory?)"/>, over caches of a prompt and a tail.</summary>
    /// <param name="device">The device.</param>
    /// <param name="type">BF16 or F16.</param>
    /// <param name="dimension">Elements of a vector.</param>
    /// <param name="queries">Address of [queries, dimension rounded up to 8].</param>
    /// <param name="queryCount">Queries of all sequences.</param>
    /// <param name="group">Queries of a cache.</param>
    /// <param name="caches">Addresses of the caches' keys and values.</param>
    /// <param name="stride">Elements from one cached vector to the next.</param>
    /// <param name="scale">Usually 1/√dimension.</param>
    /// <param name="lists">A list per cache, or one per query.</param>
    /// <param name="output">Address of [queries, dimension rounded up to 8]; may be the queries.</param>
    /// <param name="logSumExp">[queries] float32, or null.</param>
    /// <param name="scratch">As much memory as <see cref="DecodeScratchBytes"/> tells.</param>
    /// <param name="times">Address of two clocks, the second 0: when it began and ended; or 0.</param>
    public static void Decode(
        CudaDevice device,
        DataType type,
        int dimension,
        ulong queries,
        int queryCount,
        int group,
        CudaCacheAddresses caches,
        int stride,
        float scale,
        CudaTokenListView lists,
        ulong output,
        CudaMemory? logSumExp,
        ulong scratch,
        ulong times)
    {
        RequireDimension(dimension);
        int width = RoundUp(dimension, 8);
        int head = RoundUp(dimension, 64);
        int queriesOfList = queryCount / lists.Count;
        int pieces = Pieces(lists.Maximum);
        int sixteens = (queriesOfList + 15) / 16;
        int halves = queriesOfList <= 8 ? 1 : 2;

        // Tiles of 16 keys and values for each of four warps.
        int stageBytes = 4 * 16 * 2 * head * 2;

        // Two thread blocks of a multiprocessor where each has a tile to ask for while it works on another.
        int resident = head <= 128 && device.Properties.SharedBytes / 2 / stageBytes > 1 ? 2 : 1;
        int stages = Math.Clamp(device.Properties.SharedBytes / resident / stageBytes, 1, MostStages);
        ulong statistics = scratch + (ulong)((long)queryCount * pieces * head * sizeof(float));
        ReadOnlySpan<(string, int)> definitions =
            [("TYPE", CudaVectors.TypeValue(type)), ("HEAD", head), ("PAGE", lists.PageSize), ("HALVES", halves), ("STAGES", stages), ("RESIDENT", resident)];
        device.Function("decode.cu", "decode", definitions).Launch(
            lists.Ready != 0,
            (pieces, lists.Count, sixteens),
            128,
            Math.Max(stages * stageBytes, 4 * 8 * halves * (head + 2) * sizeof(float)),
            queries,
            caches.Keys,
            caches.Values,
            caches.TailKeys,
            caches.TailValues,
            caches.Splits,
            lists.Counts,
            lists.Offsets,
            lists.PageIndices,
            lists.Ready,
            scratch,
            statistics,
            device.Arrivals(lists.Count * sixteens, 0),
            output,
            logSumExp,
            pieces,
            queriesOfList,
            group,
            width,
            stride,
            scale * Log2E,
            times);
    }

    /// <summary>Bytes of scratch memory of a call of Decode whose longest list has so many tokens.</summary>
    public static long DecodeScratchBytes(int dimension, int queryCount, int longest) =>
        (long)queryCount * Pieces(longest) * (RoundUp(dimension, 64) + 2) * sizeof(float);

    /// <summary>Most pieces of a list of so many tokens or fewer; as pieceTokens of the source.</summary>
    internal static int Pieces(int tokens) => Math.Clamp((tokens + FewestTokensOfPiece - 1) / FewestTokensOfPiece, 1, MostPieces);

    /// <summary>The smallest multiple that is not below a value.</summary>
    internal static int RoundUp(int value, int multiple) => (value + multiple - 1) / multiple * multiple;

    /// <summary>Refuses vectors that are too long for the kernels' registers.</summary>
    internal static void RequireDimension(int dimension)
    {
        if (dimension > MaximumDimension)
        {
            throw new SparseFrontierException(
                ErrorIds.DeviceUnsupported, $"GPU kernels take heads of at most {MaximumDimension} elements, not {dimension}. Use the device cpu.", dimension);
        }
    }
}
