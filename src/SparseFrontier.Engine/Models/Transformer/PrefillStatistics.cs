namespace SparseFrontier.Models.Transformer;

/// <summary>Counters of one prefill, over global-attention layers unless said otherwise.</summary>
public sealed record PrefillStatistics
{
    /// <summary>Query-key pairs attended, summed over layers and query heads, element-exact.</summary>
    public long AttendedPairs { get; init; }

    /// <summary>Pairs that dense causal attention would attend.</summary>
    public long CausalPairs { get; init; }

    /// <summary>Attended pairs that the method always keeps.</summary>
    public long ForcedPairs { get; init; }

    /// <summary>Attended pairs of the whole model, sliding-window layers included.</summary>
    public long AttendedPairsAllLayers { get; init; }

    /// <summary>Dense pairs of the whole model, sliding-window layers with their windows included.</summary>
    public long CausalPairsAllLayers { get; init; }

    /// <summary>Pairs that the kernels computed, tiles and padding included.</summary>
    public long ExecutedPairs { get; init; }

    /// <summary>
    /// Floating-point operations that the processor's kernels executed: products with weights, gates, attention over executed pairs of all layers, choosing. Evictions, which
    /// share what they compute, are not counted. Null on a GPU, whose kernels are not counted.
    /// </summary>
    public double? Operations { get; init; }

    /// <summary>The reference's own figure, mean over heads and layers; null where it is not measured.</summary>
    public double? NominalSparsity { get; init; }

    /// <summary>Whether a GPU's prefill had its selection made on the processor, from copies.</summary>
    public bool SelectedOnProcessor { get; init; }

    /// <summary>Seconds that the prefill method spent selecting; evictions count in <see cref="DecodeStatistics.IndexSeconds"/>.</summary>
    public double IndexSeconds { get; init; }

    /// <summary>Seconds spent in attention of global layers.</summary>
    public double GlobalAttentionSeconds { get; init; }

    /// <summary>Seconds spent in attention of all layers.</summary>
    public double AttentionSeconds { get; init; }

    /// <summary>Seconds in all, evictions excluded.</summary>
    public double TotalSeconds { get; init; }
}
