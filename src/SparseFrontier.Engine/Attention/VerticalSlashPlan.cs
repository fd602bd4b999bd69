using SparseFrontier.Kernels;

namespace SparseFrontier.Attention;

/// <summary>
/// Lowers verticals (key columns) and slashes (query-key offsets) of one head to what is executed: in each tile of 64 rows every slash is
/// a range of 64 keys, not aligned to a grid, ranges that touch are joined by whole 64s, and verticals outside the ranges are single
/// columns. MInference's index conversion, as the Sparse Frontier paper's code runs it.
/// </summary>
internal sealed class VerticalSlashPlan
{
    private const int Tile = 64;

    private VerticalSlashPlan(AttentionPlan plan, double nominalSparsity)
    {
        Plan = plan;
        NominalSparsity = nominalSparsity;
    }

    /// <summary>The executable form.</summary>
    public AttentionPlan Plan { get; }

    /// <summary>The reference's figure: whole 64 x 64 tiles, masked halves and padding included, over causal pairs; may be negative.</summary>
    public double NominalSparsity { get; }

    /// <summary>Builds the plan.</summary>
    /// <param name="length">Rows and keys.</param>
    /// <param name="verticals">Key columns, ascending.</param>
    /// <param name="slashes">Offsets query - key, ascending; the first is 0, so that every row sees itself.</param>
    public static VerticalSlashPlan Build(int length, ReadOnlySpan<int> verticals, ReadOnlySpan<int> slashes)
    {
        int tiles = (length + Tile - 1) / Tile;
        int[] rangeOffsets = new int[tiles + 1];
        var ranges = new List<KeyRange>();
        long tileBlocks = 0;
        long tileColumns = 0;
        int inside = 0;
        for (int tile = 0; tile < tiles; tile++)
        {
            int end = (tile + 1) * Tile;
            while (inside < slashes.Length && slashes[inside] < end)
            {
                inside++;
            }

            int slash = inside - 1;
            int rangeEnd = Math.Max(end - slashes[slash--], Tile);
            int rangeStart = rangeEnd - Tile;
            int column = 0;
            while (true)
            {
                int next = slash < 0 ? int.MaxValue : Math.Max(end - slashes[slash--], Tile);
                if (next <= rangeEnd)
                {
                    continue;
                }

                // A range that ends at most 64 further extends the current one by a whole 64, even beyond its own end.
                if (next <= rangeEnd + Tile)
                {
                    rangeEnd += Tile;
                    continue;
                }

                tileBlocks += (rangeEnd - rangeStart) / Tile;
                ranges.Add(new KeyRange(rangeStart, Math.Min(rangeEnd, length)));
                tileColumns += AttentionPlan.Find(verticals, rangeStart, column) - column;
                column = AttentionPlan.Find(verticals, rangeEnd, column);
                if (next == int.MaxValue)
                {
                    break;
                }

                rangeEnd = next;
                rangeStart = next - Tile;
            }

            rangeOffsets[tile + 1] = ranges.Count;
        }

        var plan = new AttentionPlan(length, Tile, rangeOffsets, [.. ranges], verticals.ToArray());
        double causal = (double)length * (length + 1) / 2;
        return new VerticalSlashPlan(plan, 1 - ((((double)Tile * Tile * tileBlocks) + ((double)Tile * tileColumns)) / causal));
    }
}
