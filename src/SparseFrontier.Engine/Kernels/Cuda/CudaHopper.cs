using System.Collections.Concurrent;
using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels.Cuda;

/// <summary>What prefill_hopper.cu is compiled for; see its header.</summary>
/// <param name="HeadDimension">64, 128 or 256: vectors of up to so many elements.</param>
/// <param name="Rows">Query rows of a work item.</param>
/// <param name="Block">Keys of a list's block.</param>
/// <param name="Keys">Keys of a tile.</param>
/// <param name="Slots">Tiles of the ring.</param>
/// <param name="QueryStages">Tiles of queries ahead.</param>
/// <param name="QueryInRegisters">Whether the first product reads queries from registers.</param>
/// <param name="Columns">Whether lists have gathered columns.</param>
/// <param name="BlocksPerMultiprocessor">Thread blocks that a multiprocessor holds.</param>
internal sealed record HopperConfiguration(
    int HeadDimension, int Rows, int Block, int Keys, int Slots, int QueryStages, bool QueryInRegisters, bool Columns, int BlocksPerMultiprocessor)
{
    private static readonly HopperConfiguration[] s_all =
    [
        new(64, 128, 128, 128, 8, 2, true, false, 1),
        new(128, 128, 128, 128, 5, 2, true, false, 1),
        new(256, 128, 128, 64, 5, 1, false, false, 1),
        new(64, 64, 64, 64, 10, 2, true, false, 2),
        new(128, 64, 64, 64, 6, 1, true, false, 2),
        new(256, 64, 64, 64, 5, 1, false, false, 1),
        new(64, 64, 64, 64, 10, 2, true, true, 2),
        new(128, 64, 64, 64, 6, 1, true, true, 2),
        new(256, 64, 64, 64, 5, 1, false, true, 1),
    ];

    /// <summary>Bytes of dynamic shared memory.</summary>
    public int SharedBytes => (QueryStages * Rows * HeadDimension * 2) + (Slots * Keys * HeadDimension * 2) + 512;

    /// <summary>Threads of a block: a producing warpgroup, the consumers, and one that only lends its registers.</summary>
    public int Threads => (128 * ((Rows / 64) + 1)) + (Rows == 64 && HeadDimension == 256 ? 128 : 0);

    /// <summary>The configuration of a shape; null where there is none, or the card is no Hopper.</summary>
    /// <param name="major">Compute capability before the point.</param>
    /// <param name="dimension">Elements of a vector.</param>
    /// <param name="block">Keys of a block, and rows of a row block: 64 or 128.</param>
    /// <param name="columns">Whether lists have columns.</param>
    public static HopperConfiguration? Find(int major, int dimension, int block, bool columns) => major != 9 || dimension % 8 != 0
        ? null
        : s_all.Where(c => c.Block == block && c.Columns == columns && c.HeadDimension >= dimension).MinBy(c => c.HeadDimension);

    /// <summary>The constants that the source is specialised by.</summary>
    public (string Name, int Value)[] Definitions(DataType type) =>
    [
        ("HEAD_DIM", HeadDimension), ("ROWS", Rows), ("BLOCK", Block), ("KEYS", Keys), ("SLOTS", Slots), ("QUERY_STAGES", QueryStages),
        ("QUERY_IN_REGISTERS", QueryInRegisters ? 1 : 0), ("COLUMNS", Columns ? 1 : 0), ("HALF", type == DataType.F16 ? 1 : 0),
    ];
}

/// <summary>Lists of prefill_hopper.cu on the device, for row blocks of all heads.</summary>
/// <param name="RowLists">[heads, row blocks] RowList of row_list.cuh.</param>
/// <param name="BlockStarts">First keys of blocks.</param>
/// <param name="Columns">Single keys; null without columns.</param>
internal sealed record HopperLists(CudaMemory RowLists, CudaMemory BlockStarts, CudaMemory? Columns) : IDisposable
{
    /// <inheritdoc/>
    public void Dispose()
    {
        RowLists.Dispose();
        BlockStarts.Dispose();
        Columns?.Dispose();
    }
}

/// <summary>Prefill attention by TMA and wgmma; see prefill_hopper.cu.</summary>
internal static unsafe class CudaHopper
{
    private const int ArgumentBytes = 576;
    private const float Log2E = 1.44269504088896341f;
    private static readonly ConcurrentDictionary<CudaDevice, CudaMemory> s_schedulers = new();

    /// <summary>Attention of prompt rows over the keys of lists, or over all keys before them.</summary>
    /// <param name="configuration">One that the card and the shape have.</param>
    /// <param name="queries">[query heads, rows, dimension], rows and heads in any order.</param>
    /// <param name="keys">[KV heads, rows, dimension].</param>
    /// <param name="values">[KV heads, rows, dimension].</param>
    /// <param name="scale">Usually 1/√dimension.</param>
    /// <param name="lists">Null: dense causal.</param>
    /// <param name="slidingWindow">0, or the number of latest keys that a row may see.</param>
    /// <param name="output">As the queries, and may be them.</param>
    /// <param name="counters">Four 64-bit numbers that masked tiles, full tiles, gathered columns and items are added to; or null.</param>
    public static void Prefill(
        HopperConfiguration configuration,
        CudaVectors queries,
        CudaVectors keys,
        CudaVectors values,
        float scale,
        HopperLists? lists,
        int slidingWindow,
        CudaVectors output,
        CudaMemory? counters)
    {
        CudaDevice device = queries.Device;
        CudaMemory scheduler = s_schedulers.GetOrAdd(device, d =>
        {
            CudaMemory words = CudaMemory.Allocate(d, 8);
            words.Fill(0);
            return words;
        });
        byte* storage = stackalloc byte[ArgumentBytes + 128];
        byte* arguments = (byte*)(((nint)storage + 127) & ~127);
        new Span<byte>(arguments, ArgumentBytes).Clear();
        int box = Math.Min(configuration.Block, configuration.Keys);
        EncodeMap(arguments, queries, configuration.Rows);
        EncodeMap(arguments + 128, keys, box);
        EncodeMap(arguments + 256, values, box);
        Write(384, output.Address);
        Write(400, lists?.RowLists.Address ?? 0);
        Write(408, lists?.BlockStarts.Address ?? 0);
        Write(416, lists?.Columns?.Address ?? 0);
        Write(424, keys.Address);
        Write(432, values.Address);
        Write(440, scheduler.Address);
        Write(448, counters?.Address ?? 0);
        Write(464, (ulong)output.HeadStride);
        Write(472, (ulong)output.RowStride);
        Write(488, (ulong)keys.HeadStride);
        Write(496, (ulong)keys.RowStride);
        int* numbers = (int*)(arguments + 504);
        numbers[0] = 1;
        numbers[1] = queries.Heads;
        numbers[2] = keys.Heads;
        numbers[3] = queries.Rows;
        numbers[4] = keys.Rows;
        numbers[5] = keys.Rows - queries.Rows;
        numbers[6] = queries.Dimension;
        *(float*)(arguments + 532) = scale * Log2E;
        *(int*)(arguments + 536) = slidingWindow;
        int items = queries.Heads * ((queries.Rows + configuration.Rows - 1) / configuration.Rows);
        device.Function("prefill_hopper.cu", "prefill_hopper", configuration.Definitions(queries.Type)).Launch(
            (Math.Min(items, device.Properties.Multiprocessors * configuration.BlocksPerMultiprocessor), 1, 1),
            configuration.Threads,
            configuration.SharedBytes,
            KernelArgument.ByValue(arguments));

        void Write(int offset, ulong value) => *(ulong*)(arguments + offset) = value;
    }

    // A rank-4 map (dimension, row, head, batch) with the 128-byte swizzle; what lies outside reads as zeros.
    private static void EncodeMap(byte* map, CudaVectors vectors, int boxRows)
    {
        const int BFloat16 = 9, Float16 = 6, Swizzle128 = 3, Promote256 = 3;
        ulong* extents = stackalloc ulong[] { (ulong)vectors.Dimension, (ulong)vectors.Rows, (ulong)vectors.Heads, 1 };
        ulong rowBytes = (ulong)vectors.RowStride * 2;
        ulong headBytes = (ulong)vectors.HeadStride * 2;
        ulong* strides = stackalloc ulong[] { rowBytes, headBytes, Math.Max(rowBytes * (ulong)vectors.Rows, headBytes * (ulong)vectors.Heads) };
        uint* boxExtents = stackalloc uint[] { 64, (uint)boxRows, 1, 1 };
        uint* ones = stackalloc uint[] { 1, 1, 1, 1 };
        CudaException.Check(
            CudaDriver.cuTensorMapEncodeTiled(
                map, vectors.Type == DataType.BF16 ? BFloat16 : Float16, 4, vectors.Address, extents, strides, boxExtents, ones, 0, Swizzle128, Promote256, 0),
            "cuTensorMapEncodeTiled");
    }
}
