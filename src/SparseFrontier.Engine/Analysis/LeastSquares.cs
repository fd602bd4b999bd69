namespace SparseFrontier.Analysis;

/// <summary>Linear least squares by Householder reflections.</summary>
internal static class LeastSquares
{
    // Columns whose part that others do not explain is below this share of their length cannot be told apart from them.
    private const double Dependent = 1e-9;

    /// <summary>The coefficients that minimise the weighted sum of squares; null where the columns depend on one another or outnumber the rows.</summary>
    /// <param name="rows">[rows, columns] regressors.</param>
    /// <param name="y">A value for each row.</param>
    /// <param name="weights">A weight for each row, 0 or above; null for equal ones.</param>
    public static double[]? Solve(IReadOnlyList<double[]> rows, IReadOnlyList<double> y, IReadOnlyList<double>? weights = null)
    {
        int n = rows.Count;
        int p = n == 0 ? 0 : rows[0].Length;
        if (p == 0 || n < p)
        {
            return null;
        }

        double[] root = [.. Enumerable.Range(0, n).Select(i => weights is null ? 1 : Math.Sqrt(weights[i]))];
        double[] right = [.. y.Select((v, i) => v * root[i])];
        double[][] columns = [.. Enumerable.Range(0, p).Select(j => rows.Select((row, i) => row[j] * root[i]).ToArray())];
        double[] lengths = [.. columns.Select(c => Norm(c))];
        for (int j = 0; j < p; j++)
        {
            double[] mirror = columns[j][j..];
            double norm = Norm(mirror);
            if (!(norm > Dependent * lengths[j]))
            {
                return null;
            }

            mirror[0] += mirror[0] >= 0 ? norm : -norm;
            double squares = Dot(mirror, mirror, 0);
            foreach (double[] column in columns.Skip(j).Append(right))
            {
                double scale = 2 * Dot(mirror, column, j) / squares;
                for (int i = 0; i < mirror.Length; i++)
                {
                    column[j + i] -= scale * mirror[i];
                }
            }
        }

        double[] solution = new double[p];
        for (int j = p - 1; j >= 0; j--)
        {
            double sum = right[j];
            for (int k = j + 1; k < p; k++)
            {
                sum -= columns[k][j] * solution[k];
            }

            solution[j] = sum / columns[j][j];
        }

        return solution;
    }

    private static double Norm(double[] values) => Math.Sqrt(Dot(values, values, 0));

    private static double Dot(double[] first, double[] second, int secondStart)
    {
        double sum = 0;
        for (int i = 0; i < first.Length; i++)
        {
            sum += first[i] * second[secondStart + i];
        }

        return sum;
    }
}
