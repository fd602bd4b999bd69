namespace SparseFrontier.Kernels.Cuda;

/// <summary>
/// Attention plans as the prefill kernel reads them: for every plan the same number of tiles {first row, rows, first range, end} of at most <see cref="TileRows"/> rows,
/// all plans' ranges {start, end}, and columns. They may be lowered from the host's plans or be built on the device.
/// </summary>
internal sealed class CudaPlans : IDisposable
{
    /// <summary>Takes lists that lie on the device; they are freed with this.</summary>
    public CudaPlans(int count, int tileCount, int tileRows, int firstPosition, CudaMemory tiles, CudaMemory ranges, CudaMemory columnOffsets, CudaMemory columnCounts, CudaMemory columns)
    {
        Count = count;
        TileCount = tileCount;
        TileRows = tileRows;
        FirstPosition = firstPosition;
        Tiles = tiles;
        Ranges = ranges;
        ColumnOffsets = columnOffsets;
        ColumnCounts = columnCounts;
        Columns = columns;
    }

    /// <summary>Number of plans: one for all heads, or one a query head.</summary>
    public int Count { get; }

    /// <summary>Tiles of each plan.</summary>
    public int TileCount { get; }

    /// <summary>Most rows of a tile: 16, 32 or 64.</summary>
    public int TileRows { get; }

    /// <summary>Keys before the first row.</summary>
    public int FirstPosition { get; }

    /// <summary>[plans, tiles] int4.</summary>
    public CudaMemory Tiles { get; }

    /// <summary>int2.</summary>
    public CudaMemory Ranges { get; }

    /// <summary>[plans] int: where each plan's columns begin.</summary>
    public CudaMemory ColumnOffsets { get; }

    /// <summary>[plans] int: how many columns each plan has.</summary>
    public CudaMemory ColumnCounts { get; }

    /// <summary>int, by plan ascending.</summary>
    public CudaMemory Columns { get; }

    /// <summary>Rows that a thread block takes for plans of a tile size: 16, 32 or 64.</summary>
    public static int BlockRows(int planTileRows) => planTileRows > 32 ? 64 : planTileRows > 16 ? 32 : 16;

    /// <summary>Keys of a step of the kernel.</summary>
    public static int StepKeys(int tileRows, int head) => tileRows == 64 && head <= 128 ? 64 : 32;

    /// <summary>Lowers plans; all have the same rows and first position.</summary>
    public static CudaPlans From(CudaDevice device, IReadOnlyList<AttentionPlan> plans)
    {
        int rows = plans.Max(p => BlockRows(p.TileRows));
        int tileCount = plans.Max(p => SubTiles(p, rows).Count());
        int[] tiles = new int[plans.Count * tileCount * 4];
        var ranges = new List<int>();
        int[] columnOffsets = new int[plans.Count];
        var columns = new List<int>();
        for (int p = 0; p < plans.Count; p++)
        {
            AttentionPlan plan = plans[p];
            int firstRange = ranges.Count / 2;
            foreach (KeyRange range in plan.Ranges)
            {
                ranges.Add(range.Start);
                ranges.Add(range.End);
            }

            columnOffsets[p] = columns.Count;
            columns.AddRange(plan.Columns);
            int i = p * tileCount * 4;
            foreach ((int tile, int row, int count) in SubTiles(plan, rows))
            {
                tiles[i++] = row;
                tiles[i++] = count;
                tiles[i++] = firstRange + plan.RangeOffsets[tile];
                tiles[i++] = firstRange + plan.RangeOffsets[tile + 1];
            }
        }

        return new CudaPlans(
            plans.Count,
            tileCount,
            rows,
            plans[0].FirstPosition,
            CudaMemory.From<int>(device, tiles),
            CudaMemory.From<int>(device, ranges.ToArray()),
            CudaMemory.From<int>(device, columnOffsets),
            CudaMemory.From<int>(device, plans.Select(p => p.Columns.Length).ToArray()),
            CudaMemory.From<int>(device, columns.ToArray()));
    }

    /// <summary>Query-key pairs that the kernel computes for a plan: whole steps of whole tiles, at a head dimension of at most 128.</summary>
    public static long CountExecutedPairs(AttentionPlan plan, int slidingWindow)
    {
        int rows = BlockRows(plan.TileRows);
        int keys = StepKeys(rows, 128);
        long pairs = 0;
        foreach ((int tile, int row, int count) in SubTiles(plan, rows))
        {
            int first = plan.FirstPosition + row;
            int last = first + count - 1;
            int low = slidingWindow > 0 ? Math.Max(0, first - slidingWindow + 1) : 0;
            int single = plan.FindColumn(last + 1) - plan.FindColumn(low);
            long groups = 0;
            for (int i = plan.RangeOffsets[tile]; i < plan.RangeOffsets[tile + 1]; i++)
            {
                int start = Math.Max(plan.Ranges[i].Start, low & ~63);
                int end = Math.Min(plan.Ranges[i].End, last + 1);
                groups += Math.Max(0, end - start + 15) / 16;
                int visible = Math.Max(low, plan.Ranges[i].Start);
                single -= end > visible ? plan.FindColumn(end) - plan.FindColumn(visible) : 0;
            }

            long steps = (((groups * 16) + keys - 1) / keys) + ((single + keys - 1) / keys);
            pairs += steps * keys * rows;
        }

        return pairs;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Tiles.Dispose();
        Ranges.Dispose();
        ColumnOffsets.Dispose();
        ColumnCounts.Dispose();
        Columns.Dispose();
    }

    private static IEnumerable<(int Tile, int Row, int Count)> SubTiles(AttentionPlan plan, int rows)
    {
        for (int tile = 0; tile < plan.TileCount; tile++)
        {
            int end = Math.Min(plan.RowCount, (tile + 1) * plan.TileRows);
            for (int row = tile * plan.TileRows; row < end; row += rows)
            {
                yield return (tile, row, Math.Min(rows, end - row));
            }
        }
    }
}

/// <summary>The tokens that decode attends to: one list per KV head or per query head, of all tokens of the cache or of pages.</summary>
internal sealed class CudaTokenLists : IDisposable
{
    private CudaTokenLists(int count, int maximum, int pageSize, CudaMemory counts, CudaMemory? offsets, CudaMemory? pages)
    {
        Count = count;
        Maximum = maximum;
        PageSize = pageSize;
        Counts = counts;
        Offsets = offsets;
        PageIndices = pages;
    }

    /// <summary>Number of lists.</summary>
    public int Count { get; }

    /// <summary>Tokens of the longest list.</summary>
    public int Maximum { get; }

    /// <summary>Tokens of a page; 0 where the lists are all tokens of each cache.</summary>
    public int PageSize { get; }

    /// <summary>[lists] int: tokens of each; all pages but the last of a list are full.</summary>
    public CudaMemory Counts { get; }

    /// <summary>[lists] long: where each list's pages begin; null without pages.</summary>
    public CudaMemory? Offsets { get; }

    /// <summary>int; null without pages.</summary>
    public CudaMemory? PageIndices { get; }

    /// <summary>The lists as kernels take them.</summary>
    public CudaTokenListView View => new(Count, Maximum, PageSize, Counts.Address, Offsets?.Address ?? 0, PageIndices?.Address ?? 0, 0);

    /// <summary>All tokens of each cache.</summary>
    public static CudaTokenLists All(CudaDevice device, int[] counts) =>
        new(counts.Length, counts.Append(0).Max(), 0, CudaMemory.From<int>(device, counts), null, null);

    /// <summary>Pages of each list, of which the last may hold fewer tokens.</summary>
    public static CudaTokenLists Pages(CudaDevice device, int[] counts, int pageSize, int[][] pages)
    {
        long[] offsets = new long[pages.Length];
        for (int i = 1; i < pages.Length; i++)
        {
            offsets[i] = offsets[i - 1] + pages[i - 1].Length;
        }

        return new CudaTokenLists(
            counts.Length,
            counts.Append(0).Max(),
            pageSize,
            CudaMemory.From<int>(device, counts),
            CudaMemory.From<long>(device, offsets),
            CudaMemory.From<int>(device, pages.SelectMany(p => p).ToArray()));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Counts.Dispose();
        Offsets?.Dispose();
        PageIndices?.Dispose();
    }
}
