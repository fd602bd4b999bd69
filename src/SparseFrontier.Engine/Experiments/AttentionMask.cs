using SparseFrontier.Attention;

namespace SparseFrontier.Experiments;

/// <summary>
/// What one query head attends to and what a method keeps of it, as a grid: a row stands for some consecutive queries, of which one is measured, a column
/// for some consecutive keys.
/// </summary>
public sealed class AttentionMask
{
    // Rows, and columns, at most: what a page can show.
    private const int Parts = 128;

    private readonly int[] _positions;
    private readonly float[] _kept;
    private readonly float[] _mass;

    private AttentionMask(int[] positions, int columns)
    {
        _positions = positions;
        Columns = columns;
        _kept = new float[positions.Length * columns];
        _mass = new float[positions.Length * columns];
    }

    /// <summary>The sample, the layer, the head, the method, and what it keeps there: the queries are the rows that are shown.</summary>
    public AttentionPattern Pattern { get; private init; } = new();

    /// <summary>Number of rows.</summary>
    public int Rows => _positions.Length;

    /// <summary>Number of columns.</summary>
    public int Columns { get; }

    /// <summary>Number of keys.</summary>
    public int KeyCount => _positions[^1] + 1;

    /// <summary>Position of a row's query.</summary>
    public int Position(int row) => _positions[row];

    /// <summary>Share of a column's keys that a row's query keeps, of those that it sees; null where it sees none.</summary>
    public double? Kept(int row, int column) => Sees(row, column) ? _kept[(row * Columns) + column] : null;

    /// <summary>Dense attention of a row's query on a column's keys; null where it sees none.</summary>
    public double? Mass(int row, int column) => Sees(row, column) ? _mass[(row * Columns) + column] : null;

    /// <summary>The rows that are shown of some.</summary>
    internal static int[] Spread(int first, int count) => PatternInspector.Spread(first, count, Parts);

    /// <summary>Makes the grid.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="queryHead">Query head.</param>
    /// <param name="kept">What the method keeps, of the rows to show.</param>
    /// <param name="pattern">What is measured of them.</param>
    internal static AttentionMask Create(PromptLayer layer, int queryHead, KeptKeys kept, AttentionPattern pattern)
    {
        int[] positions = [.. kept.Rows];
        int keys = positions[^1] + 1;
        var mask = new AttentionMask(positions, Math.Min(Parts, keys)) { Pattern = pattern };
        var row = new RowAttention(keys, layer.Values.Dimension);
        var probe = new AttentionProbe(layer, positions);
        bool[] marks = new bool[keys];
        int[] seen = new int[mask.Columns];
        for (int i = 0; i < positions.Length; i++)
        {
            layer.CancellationToken.ThrowIfCancellationRequested();
            Array.Clear(marks);
            Array.Clear(seen);
            kept.Mark(queryHead, i, marks.AsSpan(0, positions[i] + 1));
            probe.Attend(queryHead, positions[i], row);
            for (int key = 0; key <= positions[i]; key++)
            {
                int column = (int)((long)key * mask.Columns / keys);
                seen[column]++;
                mask._kept[(i * mask.Columns) + column] += marks[key] ? 1 : 0;
                mask._mass[(i * mask.Columns) + column] += row.Weights[key];
            }

            for (int column = 0; column < mask.Columns; column++)
            {
                mask._kept[(i * mask.Columns) + column] /= Math.Max(1, seen[column]);
            }
        }

        return mask;
    }

    private bool Sees(int row, int column) => ((long)column * KeyCount) + Columns - 1 < ((long)_positions[row] + 1) * Columns;
}
