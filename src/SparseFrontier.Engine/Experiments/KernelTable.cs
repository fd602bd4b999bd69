namespace SparseFrontier.Experiments;

/// <summary>Speed-ups of attention from measured kernels: between measured lengths and sparsities by interpolation of logarithms, never beyond them.</summary>
/// <param name="rows">Rows of `kernels measure`, of one device.</param>
internal sealed class KernelTable(IEnumerable<KernelMeasurement> rows)
{
    private const double Near = 0.011;

    private readonly KernelMeasurement[] _rows = [.. rows.Where(r => r is { SpeedUp: > 0, Sparsity: >= 0 and < 1 })];

    /// <summary>How many times as fast as dense attention a method is; null outside of what was measured.</summary>
    /// <param name="phase">"Prefill" or "Decode".</param>
    /// <param name="method">Method.</param>
    /// <param name="length">Prompt tokens.</param>
    /// <param name="sparsity">Sparsity.</param>
    public double? SpeedUp(string phase, string method, double length, double sparsity)
    {
        (double X, double Y)[] lengths =
        [
            .. _rows.Where(r => r.Phase.Equals(phase, StringComparison.OrdinalIgnoreCase) && r.Method.Equals(method, StringComparison.OrdinalIgnoreCase))
                .GroupBy(r => r.SequenceLength)
                .Select(g => (X: Math.Log(g.Key), Y: At([.. g.Select(r => (Math.Log(1 - r.Sparsity!.Value), Math.Log(r.SpeedUp!.Value)))], Math.Log(1 - sparsity), Near / (1 - sparsity))))
                .Where(p => p.Y is not null)
                .Select(p => (p.X, p.Y!.Value)),
        ];
        return At(lengths, Math.Log(length), 0.051) is { } logarithm ? Math.Exp(logarithm) : null;
    }

    // Linear between the nearest points on either side; a point within reach counts as there.
    private static double? At((double X, double Y)[] points, double x, double reach)
    {
        var ordered = points.OrderBy(p => p.X).ToArray();
        int above = Array.FindIndex(ordered, p => p.X >= x);
        if (above > 0)
        {
            (double X, double Y) low = ordered[above - 1];
            (double X, double Y) high = ordered[above];
            return high.X > low.X ? low.Y + ((x - low.X) / (high.X - low.X) * (high.Y - low.Y)) : low.Y;
        }

        return ordered.Length == 0 ? null : ordered.MinBy(p => Math.Abs(p.X - x)) is var nearest && Math.Abs(nearest.X - x) <= reach ? nearest.Y : null;
    }
}
