namespace SparseFrontier.Kernels;

/// <summary>Consecutive keys, <paramref name="Start"/> inclusive to <paramref name="End"/> exclusive.</summary>
/// <param name="Start">First key.</param>
/// <param name="End">One past the last key.</param>
public readonly record struct KeyRange(int Start, int End)
{
    /// <summary>Number of keys.</summary>
    public int Length => End - Start;
}

/// <summary>
/// What the rows of one query head attend to: the form into which every prefill selection is lowered, and the only one that a prefill
/// kernel executes. Rows are taken in tiles; the rows of a tile share a list of key ranges and a list of single columns. Row r attends to
/// key k when k lies in one of its tile's ranges or columns and k &lt;= r.
/// </summary>
/// <remarks>Ranges of a tile are ascending and disjoint, columns ascending and outside the ranges, so that no pair is counted twice.</remarks>
public sealed class AttentionPlan
{
    /// <summary>Builds a plan from lists in compressed-row form.</summary>
    /// <param name="rowCount">Rows of the head.</param>
    /// <param name="tileRows">Rows of a tile.</param>
    /// <param name="rangeOffsets">[tiles + 1], where each tile's ranges begin.</param>
    /// <param name="ranges">All tiles' ranges.</param>
    /// <param name="columnOffsets">[tiles + 1], where each tile's columns begin.</param>
    /// <param name="columns">All tiles' columns.</param>
    public AttentionPlan(int rowCount, int tileRows, int[] rangeOffsets, KeyRange[] ranges, int[] columnOffsets, int[] columns)
    {
        RowCount = rowCount;
        TileRows = tileRows;
        RangeOffsets = rangeOffsets;
        Ranges = ranges;
        ColumnOffsets = columnOffsets;
        Columns = columns;
    }

    /// <summary>Rows of the head.</summary>
    public int RowCount { get; }

    /// <summary>Rows of a tile; the last tile may have fewer.</summary>
    public int TileRows { get; }

    /// <summary>Number of tiles.</summary>
    public int TileCount => (RowCount + TileRows - 1) / TileRows;

    /// <summary>[tiles + 1], where each tile's ranges begin in <see cref="Ranges"/>.</summary>
    public int[] RangeOffsets { get; }

    /// <summary>All tiles' ranges.</summary>
    public KeyRange[] Ranges { get; }

    /// <summary>[tiles + 1], where each tile's columns begin in <see cref="Columns"/>.</summary>
    public int[] ColumnOffsets { get; }

    /// <summary>All tiles' columns.</summary>
    public int[] Columns { get; }

    /// <summary>The plan of dense causal attention.</summary>
    public static AttentionPlan Dense(int rowCount, int tileRows = 64)
    {
        int tiles = (rowCount + tileRows - 1) / tileRows;
        int[] rangeOffsets = new int[tiles + 1];
        var ranges = new KeyRange[tiles];
        for (int t = 0; t < tiles; t++)
        {
            rangeOffsets[t + 1] = t + 1;
            ranges[t] = new KeyRange(0, Math.Min(rowCount, (t + 1) * tileRows));
        }

        return new AttentionPlan(rowCount, tileRows, rangeOffsets, ranges, new int[tiles + 1], []);
    }

    /// <summary>Query-key pairs that the plan attends to, counted element by element under the causal mask.</summary>
    /// <param name="slidingWindow">0, or the number of latest keys (its own included) that a row may see.</param>
    public long CountPairs(int slidingWindow = 0)
    {
        int window = slidingWindow > 0 ? slidingWindow : RowCount;
        long pairs = 0;
        for (int tile = 0; tile < TileCount; tile++)
        {
            int first = tile * TileRows;
            int last = Math.Min(RowCount, first + TileRows) - 1;
            for (int i = RangeOffsets[tile]; i < RangeOffsets[tile + 1]; i++)
            {
                // Keys up to the row, less those that have left the window.
                KeyRange range = Ranges[i];
                pairs += SumUpTo(last, range) - SumUpTo(first - 1, range);
                pairs -= SumUpTo(last - window, range) - SumUpTo(first - 1 - window, range);
            }

            for (int i = ColumnOffsets[tile]; i < ColumnOffsets[tile + 1]; i++)
            {
                int column = Columns[i];
                pairs += Math.Max(0, Math.Min(last, column + window - 1L) - Math.Max(first, column) + 1);
            }
        }

        return pairs;
    }

    // Σ over rows 0..row of the number of the range's keys that are not after the row.
    private static long SumUpTo(int row, KeyRange range)
    {
        // Rows start .. end-1 see 1, 2, ... keys; rows from end - 1 on see all of them.
        long growing = Math.Max(0, Math.Min(row, range.End - 1) - range.Start + 1);
        long full = Math.Max(0, row - Math.Max(range.End - 1, range.Start - 1));
        return (growing * (growing + 1) / 2) + (full * range.Length);
    }
}
