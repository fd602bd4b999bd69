namespace SparseFrontier;

/// <summary>One sample of a run, as its samples files hold it. What was measured is null in samples of imported runs.</summary>
public sealed class SampleResult
{
#pragma warning disable CS1591 // Each property is described in docs/results-format.md; a test compares the two.
    public string RunId { get; init; } = "";
    public int Index { get; init; }
    public double? Score { get; init; }
    public string? FormatFailure { get; init; }
    public string GoldJson { get; init; } = "";
    public string Output { get; init; } = "";
    public string OutputTokens { get; init; } = "";
    public int? OutputTokenCount { get; init; }
    public int? PromptTokens { get; init; }
    public double? GoldLogLikelihood { get; init; }
    public int GoldTokenCount { get; init; }
    public int? FirstDivergentToken { get; init; }
    public double? DivergenceToDense { get; init; }
    public double? PrefillSparsity { get; init; }
    public double? DecodeSparsity { get; init; }
    public double? CacheSparsity { get; init; }
    public double? NominalSparsity { get; init; }
    public double? NominalDecodeSparsity { get; init; }
    public double? WholeModelSparsity { get; init; }
    public double? ExecutedDensity { get; init; }
    public double? ForcedShare { get; init; }
    public double? DecodeForcedShare { get; init; }
    public string Parameters { get; init; } = "";
    public string DecodeParameters { get; init; } = "";
    public bool DenseFallback { get; init; }
    public string ProcessorSelection { get; init; } = "";
    public double? PrefillSeconds { get; init; }
    public double? PrefillOperations { get; init; }
    public double? PrefillIndexSeconds { get; init; }
    public double? PrefillAttentionSeconds { get; init; }
    public double? IndexSeconds { get; init; }
    public double? AttentionSeconds { get; init; }
    public double? DecodeSeconds { get; init; }
    public double? SequencesPerStep { get; init; }
    public double? DecodeOperations { get; init; }
    public double? ElapsedSeconds { get; init; }
    public double? Joules { get; init; }
    public double? BytesRead { get; init; }
    public long? CacheBytes { get; init; }
    public long? PeakMemoryBytes { get; init; }
    public bool PrefillShared { get; init; }
    public string Device { get; init; } = "";
#pragma warning restore CS1591

    /// <inheritdoc/>
    public override string ToString() => FormattableString.Invariant($"{RunId}[{Index}] -> {Score:F3} {FormatFailure}").TrimEnd();
}
