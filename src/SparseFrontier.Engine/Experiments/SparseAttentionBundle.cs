namespace SparseFrontier;

/// <summary>A bundle that was written: runs as one file.</summary>
public sealed record SparseAttentionBundle
{
    /// <summary>The file.</summary>
    public string Path { get; init; } = "";

    /// <summary>SHA-256 of the manifest, which holds those of all files: the same for equal runs wherever they are bundled.</summary>
    public string BundleId { get; init; } = "";

    /// <summary>Runs.</summary>
    public int RunCount { get; init; }

    /// <summary>Samples of all runs.</summary>
    public int SampleCount { get; init; }

    /// <summary>Bytes of the file.</summary>
    public long SizeInBytes { get; init; }

    /// <summary>The path.</summary>
    public override string ToString() => Path;
}
