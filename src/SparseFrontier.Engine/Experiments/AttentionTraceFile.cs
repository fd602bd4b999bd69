namespace SparseFrontier;

/// <summary>A file of queries, keys and values of one layer of one sample.</summary>
public sealed record AttentionTraceFile
{
    /// <summary>The file.</summary>
    public string Path { get; init; } = "";

    /// <summary>Model.</summary>
    public string Model { get; init; } = "";

    /// <summary>Task of the sample.</summary>
    public string Task { get; init; } = "";

    /// <summary>Prefill method of the run.</summary>
    public string PrefillMethod { get; init; } = "";

    /// <summary>Its parameters, budget included.</summary>
    public string PrefillParameters { get; init; } = "";

    /// <summary>Layer, from 0.</summary>
    public int Layer { get; init; }

    /// <summary>Query heads in the file.</summary>
    public int QueryHeads { get; init; }

    /// <summary>KV heads in the file.</summary>
    public int KvHeads { get; init; }

    /// <summary>Tokens of the prompt.</summary>
    public int PromptTokens { get; init; }

    /// <summary>Tokens after the prompt.</summary>
    public int NextTokens { get; init; }

    /// <summary>Bytes of the file.</summary>
    public long SizeInBytes { get; init; }

    /// <summary>The path.</summary>
    public override string ToString() => Path;
}
