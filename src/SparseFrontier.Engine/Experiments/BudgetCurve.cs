namespace SparseFrontier.Experiments;

/// <summary>The sparsity of a method without a closed form as a function of its budget, measured at a few budgets.</summary>
/// <param name="Budgets">Ascending budgets.</param>
/// <param name="Sparsities">The sparsity at each.</param>
internal sealed record BudgetCurve(double[] Budgets, double[] Sparsities)
{
    private const int GridPoints = 13;

    /// <summary>Budgets in equal ratios from the smallest to the largest that matter.</summary>
    public static double[] Grid(double minimum, double maximum)
    {
        double low = Math.Max(1, minimum);
        return [.. Enumerable.Range(0, GridPoints).Select(i => low * Math.Pow(Math.Max(maximum, low) / low, i / (GridPoints - 1.0)))];
    }

    /// <summary>The budget at which linear interpolation gives a sparsity, within the grid.</summary>
    public double Invert(double sparsity)
    {
        for (int i = 1; i < Budgets.Length; i++)
        {
            if (Sparsities[i] <= sparsity)
            {
                double drop = Sparsities[i - 1] - Sparsities[i];
                double share = drop > 0 ? Math.Clamp((Sparsities[i - 1] - sparsity) / drop, 0, 1) : 1;
                return Budgets[i - 1] + (share * (Budgets[i] - Budgets[i - 1]));
            }
        }

        return Budgets[^1];
    }
}
