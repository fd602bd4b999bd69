using SparseFrontier.Kernels;
using SparseFrontier.Tensors;

namespace SparseFrontier.Attention;

/// <summary>
/// Key columns and offsets of one query head by the attention that the last queries give them, largest first: computed once, cut at any
/// budget.
/// </summary>
internal sealed class VerticalSlashRanking
{
    private readonly int _window;
    private readonly float[] _columnSums;
    private readonly float[] _diagonalSums;
    private readonly int[] _columns;
    private readonly int[] _diagonals;

    private VerticalSlashRanking(int window, float[] columnSums, float[] diagonalSums)
    {
        _window = window;
        _columnSums = columnSums;
        _diagonalSums = diagonalSums;
        _columns = TopK.Order(columnSums);
        _diagonals = TopK.Order(diagonalSums);
    }

    /// <summary>Prompt tokens.</summary>
    public int Length => _columns.Length;

    /// <summary>Ranks for one query head from its last <paramref name="window"/> queries, or as many as there are.</summary>
    public static VerticalSlashRanking Create(PromptLayer layer, int queryHead, int window)
    {
        int queries = Math.Min(window, layer.Length);
        float[] columnSums = new float[layer.Length];
        float[] diagonalSums = new float[layer.Length];
        layer.Kernels.LastWindowAttention(layer.Queries, layer.Keys, queryHead, queries, layer.Scale, columnSums, diagonalSums, default);
        return new VerticalSlashRanking(queries, columnSums, diagonalSums);
    }

    /// <summary>A ranking by random numbers.</summary>
    public static VerticalSlashRanking Random(int length, RandomSource random)
    {
        return new VerticalSlashRanking(1, Draw(), Draw());

        float[] Draw()
        {
            float[] values = new float[length];
            foreach (ref float value in values.AsSpan())
            {
                value = (float)random.NextDouble();
            }

            return values;
        }
    }

    /// <summary>The first <paramref name="forced"/> columns and the best of the others, <paramref name="count"/> in all, ascending.</summary>
    public int[] Verticals(int count, int forced) => Best(_columns, count, forced);

    /// <summary>The smallest <paramref name="forced"/> offsets and the best of the others, <paramref name="count"/> in all, ascending.</summary>
    public int[] Slashes(int count, int forced) => Best(_diagonals, count, forced);

    /// <summary>How many columns it takes, largest first, for their share of the attention to exceed <paramref name="coverage"/>.</summary>
    public int VerticalsCovering(double coverage) => Covering(_columns, _columnSums, coverage);

    /// <summary>How many offsets it takes, largest first, for their share of the attention to exceed <paramref name="coverage"/>.</summary>
    public int SlashesCovering(double coverage) => Covering(_diagonals, _diagonalSums, coverage);

    private static int[] Best(int[] order, int count, int forced)
    {
        count = Math.Min(count, order.Length);
        forced = Math.Min(forced, count);
        int[] best = new int[count];
        for (int i = 0; i < forced; i++)
        {
            best[i] = i;
        }

        int filled = forced;
        for (int i = 0; filled < count; i++)
        {
            if (order[i] >= forced)
            {
                best[filled++] = order[i];
            }
        }

        Array.Sort(best, forced, count - forced);
        return best;
    }

    private int Covering(int[] order, float[] sums, double coverage)
    {
        // A coverage of 1 keeps everything; adding up may round to 1 before the smallest shares are in.
        if (coverage >= 1)
        {
            return order.Length;
        }

        double limit = coverage * _window;
        double covered = 0;
        for (int i = 0; i < order.Length; i++)
        {
            covered += sums[order[i]];
            if (covered > limit)
            {
                return i + 1;
            }
        }

        return order.Length;
    }
}
