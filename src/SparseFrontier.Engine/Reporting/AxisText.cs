namespace SparseFrontier.Reporting;

/// <summary>What columns are called on the axes of charts, with their units.</summary>
public static class AxisText
{
    /// <summary>The title of an axis: "score (mean, 0 to 1)"; a column that is not known by its own name.</summary>
    public static string Of(string column) => column switch
    {
        "PrefillFlops" => "prefill operations of a request (FLOP)",
        "DecodeBytes" => "memory read by a decode step (bytes)",
        "MemoryReads" => "memory read by a request (bytes)",
        "Density" => "density (share attended of what dense attention attends)",
        "PrefillDensity" => "prefill density (share of the causal query-key pairs)",
        "DecodeDensity" => "decode density (share of the cached tokens)",
        nameof(SparseAttentionResult.Score) => "score (mean, 0 to 1)",
        nameof(SparseAttentionResult.PrefillSparsity) => "prefill sparsity (share of the causal query-key pairs left out)",
        nameof(SparseAttentionResult.DecodeSparsity) => "decode sparsity (share of the cached tokens left out)",
        nameof(SparseAttentionResult.DivergenceToDense) or nameof(SparseAttentionResult.GoldLogLikelihood) => $"{column} (nats)",
        _ when column.EndsWith("Seconds", StringComparison.Ordinal) => $"{column} (s)",
        nameof(SparseAttentionResult.PrefillOperations) => "executed operations of the prefill (FLOP)",
        nameof(SparseAttentionResult.DecodeOperations) => "executed operations of generation (FLOP)",
        _ when column.EndsWith("Bytes", StringComparison.Ordinal) || column == nameof(SparseAttentionResult.BytesRead) => $"{column} (bytes)",
        _ => column,
    };

    /// <summary>What a column is, without its unit: "prefill operations of a request".</summary>
    public static string Name(string column) => Of(column).Split(" (")[0];

    /// <summary>A cost with its unit: "24.4 GFLOP", "11.1 MB".</summary>
    public static string Amount(string column, double value)
    {
        string unit = column switch
        {
            "PrefillFlops" or nameof(SparseAttentionResult.PrefillOperations) or nameof(SparseAttentionResult.DecodeOperations) => "FLOP",
            _ when Of(column).EndsWith("(bytes)", StringComparison.Ordinal) => "B",
            _ when Of(column).EndsWith("(s)", StringComparison.Ordinal) => "s",
            _ => "",
        };
        string cost = CellText.Cost(value);
        return unit.Length == 0 ? cost : cost.Contains(' ', StringComparison.Ordinal) ? cost + unit : $"{cost} {unit}";
    }

    /// <summary>Whether values of a column belong on an axis of equal factors: what varies with the size of a model or a prompt.</summary>
    public static bool IsLogarithmic(string column) => column is "PrefillFlops" or "DecodeBytes" or "MemoryReads" or nameof(SparseAttentionResult.PrefillOperations) or nameof(SparseAttentionResult.DecodeOperations)
        || column.EndsWith("Density", StringComparison.Ordinal) || column.EndsWith("Seconds", StringComparison.Ordinal)
        || column.EndsWith("Bytes", StringComparison.Ordinal) || column == nameof(SparseAttentionResult.BytesRead);
}
