namespace SparseFrontier.Analysis;

/// <summary>Spearman's rank correlation.</summary>
/// <param name="Value">From -1 to 1.</param>
/// <param name="PValue">Two-sided, that it is 0, by Student's t with n - 2 degrees of freedom.</param>
public sealed record RankCorrelation(double Value, double PValue)
{
    /// <summary>The correlation of two lists; equal values share the mean of their ranks. Null below three pairs, or where all values of a list are equal.</summary>
    public static RankCorrelation? Of(IReadOnlyList<double> first, IReadOnlyList<double> second)
    {
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(second);
        ArgumentOutOfRangeException.ThrowIfNotEqual(second.Count, first.Count);
        int n = first.Count;
        double[] a = Ranks(first);
        double[] b = Ranks(second);
        double mean = (n + 1) / 2.0;
        double products = a.Zip(b, (x, y) => (x - mean) * (y - mean)).Sum();
        double squares = Math.Sqrt(a.Sum(x => (x - mean) * (x - mean)) * b.Sum(y => (y - mean) * (y - mean)));
        if (n < 3 || squares == 0)
        {
            return null;
        }

        double rho = Math.Clamp(products / squares, -1, 1);
        double p = Math.Abs(rho) == 1 ? 0 : 2 * SpecialFunctions.StudentCumulative(-Math.Abs(rho) * Math.Sqrt((n - 2) / (1 - (rho * rho))), n - 2);
        return new RankCorrelation(rho, p);
    }

    private static double[] Ranks(IReadOnlyList<double> values)
    {
        double[] ranks = new double[values.Count];
        int before = 0;
        foreach (var equal in Enumerable.Range(0, values.Count).GroupBy(i => values[i]).OrderBy(g => g.Key))
        {
            int count = equal.Count();
            foreach (int i in equal)
            {
                ranks[i] = before + ((count + 1) / 2.0);
            }

            before += count;
        }

        return ranks;
    }
}
