namespace SparseFrontier.Models.Transformer;

/// <summary>A checkpoint's config.json, older and newer forms, read into one shape.</summary>
public sealed record ModelConfiguration
{
    /// <summary>"llama", "qwen2", "qwen3", "mistral" or "gemma3_text".</summary>
    public required string Family { get; init; }

    /// <summary>Number of layers.</summary>
    public required int LayerCount { get; init; }

    /// <summary>Width of the residual stream.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Width of the feed-forward layer.</summary>
    public required int IntermediateSize { get; init; }

    /// <summary>Query heads of a layer.</summary>
    public required int QueryHeads { get; init; }

    /// <summary>KV heads of a layer.</summary>
    public required int KvHeads { get; init; }

    /// <summary>Elements of one query, key or value.</summary>
    public required int HeadDimension { get; init; }

    /// <summary>Rows of the embedding.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>Tokens that the configuration allows.</summary>
    public required int ContextLength { get; init; }

    /// <summary>Token ids that end a generation.</summary>
    public required IReadOnlyList<int> StopTokens { get; init; }

    /// <summary>By layer: 0 for global attention, else the sliding window in tokens.</summary>
    public required IReadOnlyList<int> SlidingWindows { get; init; }
}
