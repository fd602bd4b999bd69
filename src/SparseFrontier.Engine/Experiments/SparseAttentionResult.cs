namespace SparseFrontier;

/// <summary>State of a run.</summary>
public enum RunStatus
{
    /// <summary>All samples done.</summary>
    Completed,

    /// <summary>Stopped; running it again goes on.</summary>
    Cancelled,

    /// <summary>Some samples done, the rest not yet.</summary>
    Partial,

    /// <summary>Ended by an error.</summary>
    Failed,

    /// <summary>The budget cannot be held at this length.</summary>
    Infeasible,

    /// <summary>Given up: three attempts in a row ended with their process or with an error at the same sample.</summary>
    Poisoned,
}

/// <summary>
/// One run's row: the mean of its samples with the 95 % interval, what was asked and what was measured. Flat, so that it survives JSON, CSV
/// and remoting and binds back.
/// </summary>
public sealed class SparseAttentionResult
{
#pragma warning disable CS1591 // Each property is described in docs/results-format.md; a test compares the two.
    public int SchemaVersion { get; init; } = 1;
    public string RunId { get; init; } = "";
    public string Method { get; init; } = "";
    public string DecodeMethod { get; init; } = "";
    public string Task { get; init; } = "";
    public string Model { get; init; } = "";
    public int SequenceLength { get; init; }
    public double? RequestedSparsity { get; init; }
    public double? RequestedDecodeSparsity { get; init; }
    public double? PrefillSparsity { get; init; }
    public double? DecodeSparsity { get; init; }
    public double? CacheSparsity { get; init; }
    public double? NominalSparsity { get; init; }
    public double? NominalDecodeSparsity { get; init; }
    public double? WholeModelSparsity { get; init; }
    public double? ExecutedDensity { get; init; }
    public double? ForcedShare { get; init; }
    public double? DecodeForcedShare { get; init; }
    public bool? SparsityWithinTolerance { get; init; }
    public double? MaximumFeasibleSparsity { get; init; }
    public string Parameters { get; init; } = "";
    public string DecodeParameters { get; init; } = "";
    public string TaskParameters { get; init; } = "";
    public double? Score { get; init; }
    public double? ScoreLow { get; init; }
    public double? ScoreHigh { get; init; }
    public double? StandardError { get; init; }
    public double? ChanceScore { get; init; }
    public double? FormatFailureRate { get; init; }
    public int UnscoredCount { get; init; }
    public double? GoldLogLikelihood { get; init; }
    public double? DivergenceToDense { get; init; }
    public int SampleCount { get; init; }
    public double? OutputTokenCount { get; init; }
    public double? PromptTokens { get; init; }
    public int FallbackCount { get; init; }
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
    public double? CacheBytes { get; init; }
    public long? PeakMemoryBytes { get; init; }
    public string CacheType { get; init; } = "";
    public double? YarnFactor { get; init; }
    public string QuestionPosition { get; init; } = "";
    public string CompressBefore { get; init; } = "";
    public string BudgetSchedule { get; init; } = "";
    public bool ReferenceScoring { get; init; }
    public bool ShortInstructions { get; init; }
    public bool AllowDenseFallback { get; init; }
    public int MaximumOutputTokens { get; init; }
    public long Seed { get; init; }
    public string Device { get; init; } = "";
    public RunStatus Status { get; init; }
    public string? Message { get; init; }
    public DateTimeOffset? StartedAt { get; init; }
    public string ModuleVersion { get; init; } = "";
    public string? Path { get; init; }
#pragma warning restore CS1591

    /// <summary>The samples of a row that was read from a file of rows. Null: they are in <see cref="Path"/>.</summary>
    internal IReadOnlyList<SampleResult>? Samples { get; set; }

    /// <summary>
    /// Seconds of an output token where every step was of this run's sequence alone, else null: a step that several share is divided equally among them, which says nothing of
    /// their methods.
    /// </summary>
    internal double? OwnSecondsPerToken => SequencesPerStep == 1 && OutputTokenCount > 0 ? DecodeSeconds / OutputTokenCount : null;

    /// <summary>A row with the same columns.</summary>
    internal SparseAttentionResult Copy() => (SparseAttentionResult)MemberwiseClone();

    /// <inheritdoc/>
    public override string ToString() =>
        FormattableString.Invariant($"{Method}+{DecodeMethod} {Task}@{SequenceLength} sparsity {PrefillSparsity:F2}/{DecodeSparsity:F2} -> {Score:F3}");
}
