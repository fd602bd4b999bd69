using System.Globalization;

namespace SparseFrontier.Experiments;

/// <summary>Says which runs of a cell have samples that ran dense because their length cannot hold the budget: their scores are dense attention's and not the method's.</summary>
internal static class FallbackAdvice
{
    /// <summary>What to tell the user about the rows of one cell; null where no sample fell back.</summary>
    public static string? Create(IEnumerable<SparseAttentionResult> rows)
    {
        string[] dense =
        [
            .. rows.Where(r => r.FallbackCount > 0)
                .Select(r => string.Create(CultureInfo.InvariantCulture, $"{MethodNames.Of(r)}{Asked(r)} in {r.FallbackCount} of {Counted.Of(r.SampleCount, "sample")}")),
        ];
        return dense.Length == 0
            ? null
            : $"Dense attention ran instead, as the length cannot hold the budget: {string.Join(", ", dense)}. Scores of such runs are not their method's: FallbackCount is above 0 in their rows, and frontiers leave them out.";
    }

    private static string Asked(SparseAttentionResult row)
    {
        string[] sparsities = [.. new[] { row.RequestedSparsity, row.RequestedDecodeSparsity }.OfType<double>().Select(s => s.ToString(CultureInfo.InvariantCulture))];
        return sparsities.Length == 0 ? "" : $" at {string.Join(" and ", sparsities)}";
    }
}
