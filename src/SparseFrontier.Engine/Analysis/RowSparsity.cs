using System.Globalization;

namespace SparseFrontier.Analysis;

/// <summary>
/// The sparsity by which analyses place a row: the measured one, or in a row without it, which only imported rows are, the nominal one.
/// </summary>
internal static class RowSparsity
{
    /// <summary>Of the prefill.</summary>
    public static double? Prefill(SparseAttentionResult row) => row.PrefillSparsity ?? row.NominalSparsity;

    /// <summary>Of the decode.</summary>
    public static double? Decode(SparseAttentionResult row) => row.DecodeSparsity ?? row.NominalDecodeSparsity;

    /// <summary>What to say of rows whose sparsity is not measured; null if all are.</summary>
    public static string? Warning(IEnumerable<SparseAttentionResult> rows)
    {
        int nominal = rows.Count(r => (r.PrefillSparsity is null && r.NominalSparsity is not null) || (r.DecodeSparsity is null && r.NominalDecodeSparsity is not null));
        return nominal == 0
            ? null
            : string.Create(CultureInfo.InvariantCulture, $"{Counted.Of(nominal, "row has", "rows have")} no measured sparsity; the nominal one of the program that they come from stands in its place.");
    }
}
