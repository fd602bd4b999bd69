using SparseFrontier.Kernels;

namespace SparseFrontier.Attention;

/// <summary>
/// Collects the ranges of a plan in pieces, so that no more than twice the plan is alive while it is made: a list that grows by doubling leaves as much again behind.
/// </summary>
internal sealed class RangeCollector
{
    // Ranges of a piece: 64 KB, which the collector still takes for a small object.
    private const int PieceLength = 8192;

    private readonly List<KeyRange[]> _pieces = [];
    private int _filled = PieceLength;

    /// <summary>Ranges so far.</summary>
    public int Count => _pieces.Count == 0 ? 0 : ((_pieces.Count - 1) * PieceLength) + _filled;

    /// <summary>Adds a range.</summary>
    public void Add(KeyRange range)
    {
        if (_filled == PieceLength)
        {
            _pieces.Add(new KeyRange[PieceLength]);
            _filled = 0;
        }

        _pieces[^1][_filled++] = range;
    }

    /// <summary>All ranges in order.</summary>
    public KeyRange[] ToArray()
    {
        var all = new KeyRange[Count];
        for (int piece = 0; piece < _pieces.Count; piece++)
        {
            int start = piece * PieceLength;
            _pieces[piece].AsSpan(0, Math.Min(PieceLength, all.Length - start)).CopyTo(all.AsSpan(start));
        }

        return all;
    }
}
