namespace SparseFrontier;

/// <summary>A checkpoint, read from its headers only, as <c>Get-SparseAttentionModel</c> and <c>sparsefrontier models</c> show it.</summary>
public sealed class SparseAttentionModel
{
    /// <summary>Name: the directory's.</summary>
    public string Name { get; init; } = "";

    /// <summary>Directory.</summary>
    public string Path { get; init; } = "";

    /// <summary>Model family, such as "llama" or "qwen3".</summary>
    public string Architecture { get; init; } = "";

    /// <summary>Parameters; null where the checkpoint does not load.</summary>
    public long? ParameterCount { get; init; }

    /// <summary>Layers.</summary>
    public int LayerCount { get; init; }

    /// <summary>Query heads of a layer.</summary>
    public int HeadCount { get; init; }

    /// <summary>KV heads of a layer.</summary>
    public int KvHeadCount { get; init; }

    /// <summary>Elements of a head.</summary>
    public int HeadDimension { get; init; }

    /// <summary>Tokens that the configuration allows.</summary>
    public int ContextLength { get; init; }

    /// <summary>Type of the weights as stored: "F32", "F16" or "BF16".</summary>
    public string DataType { get; init; } = "";

    /// <summary>Bytes of the weight files.</summary>
    public long SizeBytes { get; init; }

    /// <summary>Whether it is the model that runs use when none is named.</summary>
    public bool IsDefault { get; init; }

    /// <inheritdoc/>
    public override string ToString() => Name;
}
