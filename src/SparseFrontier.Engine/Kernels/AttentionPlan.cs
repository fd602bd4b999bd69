using SparseFrontier.Tensors;

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
/// kernel executes. Rows are taken in tiles; the rows of a tile share a list of key ranges, and all rows share a list of single columns. The
/// row at position p attends to key k when k &lt;= p and k lies in one of its tile's ranges or is one of the columns: their union, each pair
/// once.
/// </summary>
/// <remarks>
/// Memory: 8 bytes a range, 4 a column and 4 a tile. Columns are listed once for the head and not for each of its tiles, because a head of
/// 131,072 rows with 18,432 columns would otherwise need 70 MB for them.
/// </remarks>
public sealed class AttentionPlan
{
    /// <summary>Builds a plan from lists in compressed-row form.</summary>
    /// <param name="rowCount">Rows of the head.</param>
    /// <param name="tileRows">Rows of a tile.</param>
    /// <param name="rangeOffsets">[tiles + 1], where each tile's ranges begin.</param>
    /// <param name="ranges">All tiles' ranges; those of a tile ascending and disjoint.</param>
    /// <param name="columns">The head's columns, ascending; they may lie in ranges.</param>
    public AttentionPlan(int rowCount, int tileRows, int[] rangeOffsets, KeyRange[] ranges, int[] columns)
    {
        RowCount = rowCount;
        TileRows = tileRows;
        RangeOffsets = rangeOffsets;
        Ranges = ranges;
        Columns = columns;
    }

    /// <summary>Rows of the head.</summary>
    public int RowCount { get; }

    /// <summary>
    /// Keys before the first row: row r is at position FirstPosition + r, whose key is the last that it may see. Above 0 when the rows are
    /// the last of a longer prompt.
    /// </summary>
    public int FirstPosition { get; init; }

    /// <summary>Number of keys: those before the first row, and one for each row.</summary>
    public int KeyCount => FirstPosition + RowCount;

    /// <summary>Rows of a tile; the last tile may have fewer.</summary>
    public int TileRows { get; }

    /// <summary>Number of tiles.</summary>
    public int TileCount => (RowCount + TileRows - 1) / TileRows;

    /// <summary>[tiles + 1], where each tile's ranges begin in <see cref="Ranges"/>.</summary>
    public int[] RangeOffsets { get; }

    /// <summary>All tiles' ranges.</summary>
    public KeyRange[] Ranges { get; }

    /// <summary>The head's columns, ascending.</summary>
    public int[] Columns { get; }

    /// <summary>Bytes of the lists.</summary>
    public long SizeInBytes => (8L * Ranges.Length) + (4L * RangeOffsets.Length) + (4L * Columns.Length);

    /// <summary>The plan of dense causal attention.</summary>
    /// <param name="rowCount">Rows of the head.</param>
    /// <param name="tileRows">Rows of a tile.</param>
    /// <param name="firstPosition">Keys before the first row.</param>
    public static AttentionPlan Dense(int rowCount, int tileRows = 64, int firstPosition = 0)
    {
        int tiles = (rowCount + tileRows - 1) / tileRows;
        int[] rangeOffsets = new int[tiles + 1];
        var ranges = new KeyRange[tiles];
        for (int t = 0; t < tiles; t++)
        {
            rangeOffsets[t + 1] = t + 1;
            ranges[t] = new KeyRange(0, firstPosition + Math.Min(rowCount, (t + 1) * tileRows));
        }

        return new AttentionPlan(rowCount, tileRows, rangeOffsets, ranges, []) { FirstPosition = firstPosition };
    }

    /// <summary>Refuses queries and keys that the plan was not made for.</summary>
    /// <exception cref="ArgumentException">The numbers of rows or keys differ.</exception>
    public void RequireShape(HeadTensor queries, HeadTensor keys)
    {
        if (RowCount != queries.Rows || KeyCount != keys.Rows)
        {
            throw new ArgumentException(
                $"The plan is for {RowCount} rows after {FirstPosition} keys, but there are {queries.Rows} query rows and {keys.Rows} keys. "
                + "The query rows are the last of the keys' rows: give a plan whose FirstPosition is the number of keys less the number of rows.");
        }
    }

    /// <summary>Index in <see cref="Columns"/> of the first column that is at or after a key.</summary>
    /// <param name="key">The key.</param>
    /// <param name="from">Where to begin looking; columns before it are known to lie before the key.</param>
    public int FindColumn(int key, int from = 0) => Find(Columns, key, from);

    /// <summary>Query-key pairs that the plan attends to, counted element by element under the causal mask.</summary>
    /// <param name="slidingWindow">0, or the number of latest keys (its own included) that a row may see.</param>
    public long CountPairs(int slidingWindow = 0)
    {
        int window = slidingWindow > 0 ? slidingWindow : KeyCount;
        long pairs = 0;
        for (int tile = 0; tile < TileCount; tile++)
        {
            int first = FirstPosition + (tile * TileRows);
            int last = FirstPosition + Math.Min(RowCount, (tile + 1) * TileRows) - 1;
            int gap = 0;
            for (int i = RangeOffsets[tile]; i < RangeOffsets[tile + 1]; i++)
            {
                // Keys up to the row, less those that have left the window.
                KeyRange range = Ranges[i];
                pairs += SumUpTo(last, range) - SumUpTo(first - 1, range);
                pairs -= SumUpTo(last - window, range) - SumUpTo(first - 1 - window, range);
                pairs += ColumnPairs(new KeyRange(gap, range.Start), first, last, window);
                gap = range.End;
            }

            pairs += ColumnPairs(new KeyRange(gap, KeyCount), first, last, window);
        }

        return pairs;
    }

    /// <summary>Index of the first of some ascending columns that is at or after a key, looking from <paramref name="from"/> on.</summary>
    internal static int Find(ReadOnlySpan<int> columns, int key, int from)
    {
        int to = columns.Length;
        while (from < to)
        {
            int middle = (from + to) >>> 1;
            (from, to) = columns[middle] < key ? (middle + 1, to) : (from, middle);
        }

        return from;
    }

    // Pairs of the columns in some keys with the positions first to last.
    private long ColumnPairs(KeyRange keys, int first, int last, int window)
    {
        int start = Math.Max(keys.Start, first - window + 1);
        int end = Math.Min(keys.End, last + 1);
        if (Columns.Length == 0 || start >= end)
        {
            return 0;
        }

        // Columns that all positions see are counted together, those at the edges one by one.
        int seenStart = Math.Clamp(last - window + 1, start, end);
        int seenEnd = Math.Clamp(first + 1, seenStart, end);
        long pairs = 0;
        int i = FindColumn(start);
        for (; i < Columns.Length && Columns[i] < seenStart; i++)
        {
            pairs += Positions(Columns[i]);
        }

        int afterSeen = FindColumn(seenEnd, i);
        pairs += (afterSeen - i) * (last - first + 1L);
        for (i = afterSeen; i < Columns.Length && Columns[i] < end; i++)
        {
            pairs += Positions(Columns[i]);
        }

        return pairs;

        long Positions(int column) => Math.Max(0, Math.Min(last, column + window - 1L) - Math.Max(first, column) + 1);
    }

    // Σ over positions 0..position of the number of the range's keys that are not after the position.
    private static long SumUpTo(int position, KeyRange range)
    {
        // Positions start .. end-1 see 1, 2, ... keys; those from end - 1 on see all of them.
        long growing = Math.Max(0, Math.Min(position, range.End - 1) - range.Start + 1);
        long full = Math.Max(0, position - Math.Max(range.End - 1, range.Start - 1));
        return (growing * (growing + 1) / 2) + (full * range.Length);
    }
}
