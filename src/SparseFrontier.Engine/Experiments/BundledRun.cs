namespace SparseFrontier;

/// <summary>Whether stored outputs still have the scores that are stored with them.</summary>
public enum RescoringVerdict
{
    /// <summary>Every sample scores as stored, and the row is what its samples give.</summary>
    Reproduced,

    /// <summary>A score, a format failure or a column of the row differs, or the run id is not that of what is stored.</summary>
    Changed,

    /// <summary>The task is not known here.</summary>
    NotScored,
}

/// <summary>A run of a bundle, scored again from its stored outputs. Flat, so that it survives JSON, CSV and remoting.</summary>
public sealed record BundledRun
{
    /// <summary>File of the bundle.</summary>
    public string Bundle { get; init; } = "";

    /// <summary>SHA-256 of the bundle's manifest, which holds those of all files.</summary>
    public string BundleId { get; init; } = "";

    /// <summary>The run.</summary>
    public string RunId { get; init; } = "";

    /// <summary>Prefill method.</summary>
    public string Method { get; init; } = "";

    /// <summary>Decode method.</summary>
    public string DecodeMethod { get; init; } = "";

    /// <summary>Task.</summary>
    public string Task { get; init; } = "";

    /// <summary>Model.</summary>
    public string Model { get; init; } = "";

    /// <summary>Prompt tokens asked for.</summary>
    public int SequenceLength { get; init; }

    /// <summary>Sparsity asked of the prefill method, or null.</summary>
    public double? RequestedSparsity { get; init; }

    /// <summary>Sparsity asked of the decode method, or null.</summary>
    public double? RequestedDecodeSparsity { get; init; }

    /// <summary>State of the run.</summary>
    public RunStatus Status { get; init; }

    /// <summary>Samples.</summary>
    public int SampleCount { get; init; }

    /// <summary>Mean score as stored.</summary>
    public double? StoredScore { get; init; }

    /// <summary>Mean score of the stored outputs, scored here; null if the task is not known.</summary>
    public double? Score { get; init; }

    /// <summary>Samples whose score or format failure differs; null if the task is not known.</summary>
    public int? ChangedScoreCount { get; init; }

    /// <summary>Whether the stored is reproduced.</summary>
    public RescoringVerdict Verdict { get; init; }

    /// <summary>What differs, in words.</summary>
    public string Message { get; init; } = "";

    /// <summary>Version of the module that first ran it.</summary>
    public string ModuleVersion { get; init; } = "";

    /// <summary>Folder that the run was added to; null where none was asked for.</summary>
    public string? Path { get; init; }

    /// <inheritdoc/>
    public override string ToString() =>
        FormattableString.Invariant($"{Method}+{DecodeMethod} {Task}@{SequenceLength}: {StoredScore:F3} stored, {Score:F3} scored, {Verdict}");
}
