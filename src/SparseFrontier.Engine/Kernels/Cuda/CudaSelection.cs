using System.Numerics;
using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels.Cuda;

/// <summary>
/// Selections of all heads at once on the device, from estimation to the lists that attention executes. Each is the method of the same name; from the same scores the choice is the
/// processor's. The host is told nothing in between, but for how many columns and diagonals a coverage takes, which the lists have room for.
/// </summary>
internal static class CudaSelection
{
    // Scores of block pairs that are held at a time.
    private const long BlockScoreBytes = 256L << 20;

    // Of select.cu: scores that a thread holds, and those of the longest row that is held.
    private const int HeldScores = 32;
    private const int HeldColumns = 256 * HeldScores;

    // So many thread blocks of 256 threads a large GPU runs at once.
    private const int FewRows = 1024;

    // Block rows of a strip come in so many, which is a tile of 64 queries in the smallest blocks.
    private const int StripRows = 32;

    /// <summary>The largest of each row, ascending; see select.cu.</summary>
    /// <param name="device">The device.</param>
    /// <param name="scores">[rows, columns] float32.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="columns">Scores of a row.</param>
    /// <param name="width">Most that are taken of a row.</param>
    /// <param name="wanted">[rows] int: how many of each; null: the width.</param>
    /// <param name="forcedFirst">First positions that are always taken.</param>
    /// <param name="forcedLast">Last positions that are always taken.</param>
    /// <returns>[rows, width] int, filled up with -1.</returns>
    public static CudaMemory Largest(
        CudaDevice device, CudaMemory scores, int rows, int columns, int width, CudaMemory? wanted = null, int forcedFirst = 0, int forcedLast = 0)
    {
        CudaMemory indices = CudaMemory.Allocate(device, (long)rows * width * sizeof(int));
        int threads = Threads(columns, rows);
        device.Function("select.cu", "selectLargest", ("TYPE", 0), ("THREADS", threads)).Launch(
            (rows, 1, 1), threads, 0, scores, (long)columns, 0UL, 0, 0, columns, wanted, indices, width, 0UL, forcedFirst, forcedLast);
        return indices;
    }

    /// <summary>Threads of a block of select.cu's selectLargest, which chooses of a row: up to 256 hold a row of up to 32 scores a thread, of which few rows have but eight a thread, so that each is done sooner.</summary>
    /// <param name="columns">Most scores of a row.</param>
    /// <param name="rows">Number of rows.</param>
    public static int Threads(int columns, long rows) =>
        columns > HeldColumns ? 1024 : Math.Clamp((int)BitOperations.RoundUpToPowerOf2((uint)((columns - 1) / (rows > FewRows ? HeldScores : HeldScores / 4) + 1)), 32, 256);

    /// <summary>VerticalSlash, or FlexPrefill where a coverage is given.</summary>
    /// <param name="queries">[query heads, length, dimension].</param>
    /// <param name="keys">[KV heads, length, dimension].</param>
    /// <param name="scale">Usually 1/√dimension.</param>
    /// <param name="window">Number of last queries, at most the length.</param>
    /// <param name="verticals">Columns of a head; with a coverage, the fewest.</param>
    /// <param name="slashes">Diagonals of a head; with a coverage, the fewest.</param>
    /// <param name="forcedVerticals">First columns that are always kept.</param>
    /// <param name="forcedSlashes">Smallest offsets that are always kept; at least 1.</param>
    /// <param name="coverage">Share of the attention that the columns, and the diagonals, cover; null: fixed numbers.</param>
    public static CudaVerticalSlash VerticalSlash(
        CudaVectors queries, CudaVectors keys, float scale, int window, int verticals, int slashes, int forcedVerticals, int forcedSlashes, double? coverage = null)
    {
        CudaDevice device = queries.Device;
        int heads = queries.Heads;
        int length = keys.Rows;
        verticals = Math.Min(length, Math.Max(verticals, forcedVerticals));
        slashes = Math.Min(length, Math.Max(slashes, forcedSlashes));
        using CudaWindow sums = CudaWindow.Compute(queries, keys, window, scale);
        // Rows are few, and masses are added up from memory: no row is held beyond 1,024 scores.
        int threads = length switch { <= 1024 => 128, <= 8192 => 512, _ => 1024 };
        CudaMemory verticalCounts = CudaMemory.Allocate(device, heads * sizeof(int));
        CudaMemory slashCounts = CudaMemory.Allocate(device, heads * sizeof(int));
        if (coverage is double share)
        {
            device.Function("select.cu", "countCovering", ("TYPE", 0), ("THREADS", threads)).Launch(
                (heads, 2, 1), threads, 0, sums.ColumnSums, sums.DiagonalSums, length, (float)(share * window), verticals, slashes, share >= 1 ? 1 : 0, verticalCounts, slashCounts);
        }

        // Room for as many as the head with the most of them has: all keys would make lists too large for the fastest kernel.
        int verticalWidth = coverage is null ? verticals : verticalCounts.ToArray<int>().Max();
        int slashWidth = coverage is null ? slashes : slashCounts.ToArray<int>().Max();
        CudaMemory columns = CudaMemory.Allocate(device, (long)heads * verticalWidth * sizeof(int));
        CudaMemory diagonals = CudaMemory.Allocate(device, (long)heads * slashWidth * sizeof(int));
        device.Function("select.cu", "selectVerticalSlash", ("TYPE", 0), ("THREADS", threads)).Launch(
            (heads, 2, 1),
            threads,
            0,
            sums.ColumnSums,
            sums.DiagonalSums,
            length,
            coverage is null ? 1 : 0,
            verticalCounts,
            slashCounts,
            columns,
            diagonals,
            verticalWidth,
            slashWidth,
            forcedVerticals,
            forcedSlashes);
        return new CudaVerticalSlash(length, columns, verticalCounts, diagonals, slashCounts);
    }

    /// <summary>For every block of rows the key blocks with the largest scores.</summary>
    /// <param name="queries">[query heads, length, dimension].</param>
    /// <param name="scorer">Scores of their block pairs.</param>
    /// <param name="blockSize">Rows and keys of a block: at most 64.</param>
    /// <param name="topBlocks">Key blocks of a block of rows.</param>
    /// <param name="forcedFirst">First key blocks that are always kept.</param>
    /// <param name="forcedLocal">Latest key blocks that are always kept.</param>
    public static CudaPlans Blocks(CudaVectors queries, CudaBlockScorer scorer, int blockSize, int topBlocks, int forcedFirst, int forcedLocal)
    {
        CudaDevice device = queries.Device;
        int heads = queries.Heads;
        int length = queries.Rows;
        int blocks = (length + blockSize - 1) / blockSize;
        int top = Math.Min(topBlocks, blocks);
        CudaMemory ranges = CudaMemory.Allocate(device, (long)heads * blocks * top * 2 * sizeof(int));
        CudaMemory tiles = CudaMemory.Allocate(device, (long)heads * blocks * 4 * sizeof(int));
        ChooseBlocks(queries, scorer, blocks, top, forcedFirst, forcedLocal, (first, rows, chosen) =>
            device.Function("lists.cu", "blockRanges", ("TYPE", 0)).Launch(
                (rows, heads, 1), 64, 0, chosen, ranges, tiles, first, top, blockSize, length, blocks));
        return new CudaPlans(
            heads, blocks, CudaPlans.BlockRows(blockSize), 0, tiles, ranges, CudaMemory.From<int>(device, new int[heads]), CudaMemory.From<int>(device, new int[heads]), CudaMemory.Allocate(device, 0));
    }

    /// <summary>As <see cref="Blocks"/>, lists of blocks of 64 or 128 keys for prefill_hopper.cu.</summary>
    public static HopperLists BlockLists(CudaVectors queries, CudaBlockScorer scorer, int blockSize, int topBlocks, int forcedFirst, int forcedLocal)
    {
        CudaDevice device = queries.Device;
        int blocks = (queries.Rows + blockSize - 1) / blockSize;
        int top = Math.Min(topBlocks, blocks);
        CudaMemory rowLists = CudaMemory.Allocate(device, (long)queries.Heads * blocks * 32);
        CudaMemory starts = CudaMemory.Allocate(device, (long)queries.Heads * blocks * top * sizeof(int));
        ChooseBlocks(queries, scorer, blocks, top, forcedFirst, forcedLocal, (first, rows, chosen) =>
            device.Function("lists.cu", "blockLists", ("TYPE", 0)).Launch((rows, queries.Heads, 1), 64, 0, chosen, rowLists, starts, first, top, blockSize, blocks));
        return new HopperLists(rowLists, starts, null);
    }

    // Chooses for all heads, strip by strip; emit is given the first block of rows, their number and the chosen key blocks [heads, rows, top].
    private static void ChooseBlocks(CudaVectors queries, CudaBlockScorer scorer, int blocks, int top, int forcedFirst, int forcedLocal, Action<int, int, CudaMemory> emit)
    {
        CudaDevice device = queries.Device;
        int heads = queries.Heads;
        int strip = (int)Math.Min(blocks, Math.Max(StripRows, BlockScoreBytes / sizeof(float) / blocks / heads / StripRows * StripRows));
        int threads = Threads(blocks, (long)strip * heads);
        using var scores = CudaMemory.Allocate(device, (long)heads * strip * blocks * sizeof(float));
        using var chosen = CudaMemory.Allocate(device, (long)heads * strip * top * sizeof(int));
        for (int first = 0; first < blocks; first += strip)
        {
            int rows = Math.Min(strip, blocks - first);
            scorer.Score(first, rows, scores);
            device.Function("select.cu", "selectLargest", ("TYPE", 0), ("THREADS", threads)).Launch(
                (rows, heads, 1), threads, 0, scores, (long)blocks, 0UL, first, 1, blocks, 0UL, chosen, top, 0UL, forcedFirst, forcedLocal);
            emit(first, rows, chosen);
        }
    }

    /// <summary>SnapKV: the tokens that each KV head keeps, [KV heads, capacity] int ascending.</summary>
    /// <param name="sums">Of the prompt's last queries.</param>
    /// <param name="queryHeads">Number of query heads.</param>
    /// <param name="kvHeads">Number of KV heads.</param>
    /// <param name="length">Prompt tokens.</param>
    /// <param name="kernelSize">Tokens that importance is averaged over.</param>
    /// <param name="capacity">Tokens kept, at most the length.</param>
    /// <param name="prefix">First tokens that are always kept.</param>
    /// <param name="local">Last tokens that are always kept.</param>
    /// <param name="maxima">Whether to take the largest weights (AdaSnapKV) in place of the sums.</param>
    public static CudaMemory Tokens(CudaWindow sums, int queryHeads, int kvHeads, int length, int kernelSize, int capacity, int prefix, int local, bool maxima)
    {
        CudaDevice device = sums.ColumnSums.Device;
        using CudaMemory importance = Importance(sums, queryHeads, kvHeads, length, kernelSize, maxima);
        return Largest(device, importance, kvHeads, length, capacity, null, prefix, local);
    }

    /// <summary>Importance of tokens, [KV heads, length] float32: of the group's query heads, averaged over neighbours.</summary>
    public static CudaMemory Importance(CudaWindow sums, int queryHeads, int kvHeads, int length, int kernelSize, bool maxima)
    {
        CudaDevice device = sums.ColumnSums.Device;
        CudaMemory importance = CudaMemory.Allocate(device, (long)kvHeads * length * sizeof(float));
        device.Function("window.cu", "windowImportance", ("TYPE", CudaVectors.TypeValue(DataType.BF16)), ("HEAD", 16)).Launch(
            ((length + 255) / 256, kvHeads, 1),
            256,
            0,
            maxima ? sums.ColumnMaxima : sums.ColumnSums,
            importance,
            length,
            queryHeads / kvHeads,
            kernelSize,
            maxima ? 1 : 0);
        return importance;
    }
}

/// <summary>What VerticalSlash or FlexPrefill chose on the device; it owns the lists.</summary>
/// <param name="length">Keys.</param>
/// <param name="verticals">[query heads, width] int.</param>
/// <param name="verticalCounts">[query heads] int.</param>
/// <param name="slashes">[query heads, width] int.</param>
/// <param name="slashCounts">[query heads] int.</param>
internal sealed class CudaVerticalSlash(int length, CudaMemory verticals, CudaMemory verticalCounts, CudaMemory slashes, CudaMemory slashCounts) : IDisposable
{
    private CudaPlans? _plans;

    /// <summary>The plans that execute the choice; made when they are first asked for.</summary>
    public CudaPlans Plans => _plans ??= CreatePlans();

    /// <summary>[query heads, <see cref="VerticalWidth"/>] ascending, then -1.</summary>
    public CudaMemory VerticalLists => verticals;

    /// <summary>[query heads, <see cref="SlashWidth"/>] ascending, then -1.</summary>
    public CudaMemory SlashLists => slashes;

    /// <summary>Room for the verticals of a head.</summary>
    public int VerticalWidth => (int)(verticals.SizeInBytes / verticalCounts.SizeInBytes);

    /// <summary>Room for the slashes of a head.</summary>
    public int SlashWidth => (int)(slashes.SizeInBytes / slashCounts.SizeInBytes);

    /// <summary>[query heads][count] ascending.</summary>
    public int[][] Verticals() => Lists(verticals, verticalCounts);

    /// <summary>[query heads][count] ascending.</summary>
    public int[][] Slashes() => Lists(slashes, slashCounts);

    /// <inheritdoc/>
    public void Dispose()
    {
        _plans?.Dispose();
        verticals.Dispose();
        verticalCounts.Dispose();
        slashes.Dispose();
        slashCounts.Dispose();
    }

    // The plans free the verticals and their counts as well, which is no harm.
    private CudaPlans CreatePlans()
    {
        CudaDevice device = verticals.Device;
        int heads = (int)(verticalCounts.SizeInBytes / sizeof(int));
        int tiles = (length + 63) / 64;

        // Ranges of a tile are at least a key apart, so that it holds at most one in 65 keys.
        int room = Math.Min(SlashWidth, tiles);
        CudaMemory ranges = CudaMemory.Allocate(device, (long)heads * tiles * room * 2 * sizeof(int));
        CudaMemory tileList = CudaMemory.Allocate(device, (long)heads * tiles * 4 * sizeof(int));
        device.Function("lists.cu", "slashRanges", ("TYPE", 0)).Launch(
            ((tiles + 3) / 4, heads, 1), 128, 0, slashes, slashCounts, SlashWidth, ranges, tileList, length, room);
        int width = VerticalWidth;
        var offsets = CudaMemory.From<int>(device, [.. Enumerable.Range(0, heads).Select(h => h * width)]);
        return new CudaPlans(heads, tiles, 64, 0, tileList, ranges, offsets, verticalCounts, verticals);
    }

    private static int[][] Lists(CudaMemory lists, CudaMemory counts)
    {
        int[] sizes = counts.ToArray<int>();
        int[] all = lists.ToArray<int>();
        int width = all.Length / sizes.Length;
        return [.. sizes.Select((size, head) => all[(head * width)..((head * width) + size)])];
    }
}
