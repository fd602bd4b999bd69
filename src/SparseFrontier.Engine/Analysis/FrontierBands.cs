namespace SparseFrontier.Analysis;

/// <summary>How sure a frontier is: what happens to it when samples are drawn anew.</summary>
/// <param name="Low">[points] lower end of the 95 % interval of the best value at the point's cost.</param>
/// <param name="High">[points] upper end.</param>
/// <param name="OptimalShare">[points] share of the resamples in which the point is on the frontier.</param>
/// <param name="Hypervolume">95 % interval of the hypervolume.</param>
public sealed record FrontierBands(double[] Low, double[] High, double[] OptimalShare, (double Low, double High)? Hypervolume)
{
    /// <summary>The bands of points whose values were resampled.</summary>
    /// <param name="costs">[points] costs, ascending.</param>
    /// <param name="resampled">[resamples][points] values.</param>
    public static FrontierBands Of(double[] costs, double[][] resampled)
    {
        ArgumentNullException.ThrowIfNull(costs);
        ArgumentNullException.ThrowIfNull(resampled);
        int points = costs.Length;
        double[][] best = [.. resampled.Select(v => BestAt(costs, v))];
        double[] optimal = new double[points];
        foreach (double[] values in resampled)
        {
            bool[] flags = Optimal(costs, values);
            for (int i = 0; i < points; i++)
            {
                optimal[i] += flags[i] ? 1.0 / resampled.Length : 0;
            }
        }

        (double Low, double High)[] intervals = [.. Enumerable.Range(0, points).Select(i => PairedBootstrap.Interval(best.Select(b => b[i])))];
        double?[] volumes = [.. resampled.Select(v => HypervolumeOf(costs, v))];
        return new FrontierBands(
            [.. intervals.Select(i => i.Low)],
            [.. intervals.Select(i => i.High)],
            [.. optimal.Select(o => Math.Min(1, o))],
            Array.TrueForAll(volumes, v => v is not null) ? PairedBootstrap.Interval(volumes.Select(v => v!.Value)) : null);
    }

    /// <summary>
    /// The hypervolume of a frontier: the mean, over costs from 0 to the largest, of the best value that so much buys, 0 where nothing is that
    /// cheap. Null where a value or cost is negative, or all cost nothing.
    /// </summary>
    /// <param name="costs">[points] costs, ascending.</param>
    /// <param name="values">[points] values.</param>
    public static double? HypervolumeOf(double[] costs, double[] values)
    {
        ArgumentNullException.ThrowIfNull(costs);
        if (costs.Length == 0 || costs[0] < 0 || costs[^1] <= 0 || values.Any(v => v < 0))
        {
            return null;
        }

        double area = 0;
        double best = 0;
        for (int i = 0; i < costs.Length; i++)
        {
            best = Math.Max(best, values[i]);
            area += best * ((i + 1 < costs.Length ? costs[i + 1] : costs[^1]) - costs[i]);
        }

        return area / costs[^1];
    }

    /// <summary>Whether each point is on the frontier: no other is at least as good in both and better in one.</summary>
    /// <param name="costs">[points] costs, ascending.</param>
    /// <param name="values">[points] values.</param>
    public static bool[] Optimal(double[] costs, double[] values)
    {
        ArgumentNullException.ThrowIfNull(costs);
        ArgumentNullException.ThrowIfNull(values);
        bool[] optimal = new bool[costs.Length];
        double cheaper = double.NegativeInfinity;
        for (int start = 0; start < costs.Length;)
        {
            int end = start;
            double best = double.NegativeInfinity;
            for (; end < costs.Length && costs[end] == costs[start]; end++)
            {
                best = Math.Max(best, values[end]);
            }

            for (int i = start; i < end; i++)
            {
                optimal[i] = values[i] == best && best > cheaper;
            }

            cheaper = Math.Max(cheaper, best);
            start = end;
        }

        return optimal;
    }

    // The best value at most at each point's cost, points of equal cost included.
    private static double[] BestAt(double[] costs, double[] values)
    {
        double[] best = new double[costs.Length];
        double running = double.NegativeInfinity;
        for (int start = 0; start < costs.Length;)
        {
            int end = start;
            for (; end < costs.Length && costs[end] == costs[start]; end++)
            {
                running = Math.Max(running, values[end]);
            }

            Array.Fill(best, running, start, end - start);
            start = end;
        }

        return best;
    }
}
