namespace SparseFrontier.Models.Transformer;

/// <summary>Counters of one sequence's steps, over global-attention layers unless said otherwise. A snapshot: later steps do not change it.</summary>
public sealed record DecodeStatistics
{
    /// <summary>Cached tokens attended, summed over steps, layers and query heads.</summary>
    public long AttendedTokens { get; init; }

    /// <summary>Tokens that a dense decode would attend.</summary>
    public long DenseTokens { get; init; }

    /// <summary>Attended tokens that the method always keeps: its forced set, and after an eviction all generated tokens.</summary>
    public long ForcedTokens { get; init; }

    /// <summary>Prompt tokens kept after prefill, summed over layers and KV heads.</summary>
    public long KeptPromptTokens { get; init; }

    /// <summary>Prompt tokens over layers and KV heads before eviction.</summary>
    public long PromptTokens { get; init; }

    /// <summary>Bytes of keys, values and index data read.</summary>
    public long BytesRead { get; init; }

    /// <summary>
    /// Floating-point operations of the steps, all layers and logits: products with weights, gates, attention and choosing, by the conventions of <see cref="PrefillStatistics.Operations"/>. Counted on a
    /// processor; on a GPU computed from what its steps attended to.
    /// </summary>
    public double Operations { get; init; }

    /// <summary>Bytes of keys and values that this sequence holds now, all layers, shared prompt included.</summary>
    public long CacheBytes { get; init; }

    /// <summary>Steps.</summary>
    public int Steps { get; init; }

    /// <summary>Whether a GPU had its eviction chosen on the processor, from copies.</summary>
    public bool SelectedOnProcessor { get; init; }

    /// <summary>Seconds spent selecting: the eviction from the prompt's cache, and at every step.</summary>
    public double IndexSeconds { get; init; }

    /// <summary>Seconds spent in attention, all layers.</summary>
    public double AttentionSeconds { get; init; }
}
