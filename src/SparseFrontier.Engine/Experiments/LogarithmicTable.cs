namespace SparseFrontier.Experiments;

/// <summary>Values between measured points, never beyond them.</summary>
internal static class LogarithmicTable
{
    /// <summary>The value at <paramref name="x"/>: linear between the nearest points on either side, or that of a point within reach; null beyond both.</summary>
    /// <param name="points">Points in any order; of equal places the last counts.</param>
    /// <param name="x">The place.</param>
    /// <param name="reach">How near a point must be to count as there.</param>
    /// <param name="farthest">How far apart the points on either side may be.</param>
    public static double? At((double X, double Y)[] points, double x, double reach, double farthest = double.PositiveInfinity)
    {
        var ordered = points.OrderBy(p => p.X).ToArray();
        int above = Array.FindIndex(ordered, p => p.X >= x);
        if (above > 0 && ordered[above].X - ordered[above - 1].X <= farthest)
        {
            (double X, double Y) low = ordered[above - 1];
            (double X, double Y) high = ordered[above];
            return high.X > low.X ? low.Y + ((x - low.X) / (high.X - low.X) * (high.Y - low.Y)) : low.Y;
        }

        return ordered.Length == 0 ? null : ordered.MinBy(p => Math.Abs(p.X - x)) is var nearest && Math.Abs(nearest.X - x) <= reach ? nearest.Y : null;
    }
}
