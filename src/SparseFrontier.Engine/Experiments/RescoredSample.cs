namespace SparseFrontier;

/// <summary>A sample of a bundle, scored again from its stored output. Flat, so that it survives JSON, CSV and remoting.</summary>
public sealed record RescoredSample
{
    /// <summary>File of the bundle.</summary>
    public string Bundle { get; init; } = "";

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

    /// <summary>Index of the sample, from 0.</summary>
    public int Index { get; init; }

    /// <summary>Score as stored.</summary>
    public double? StoredScore { get; init; }

    /// <summary>Score of the stored output, scored here; null if the task is not known, or where reference scoring leaves the sample out.</summary>
    public double? Score { get; init; }

    /// <summary>Format failure as stored: null, or its kind.</summary>
    public string? StoredFormatFailure { get; init; }

    /// <summary>Format failure found here: null, or its kind.</summary>
    public string? FormatFailure { get; init; }

    /// <summary>Whether score or format failure differs; null if the task is not known.</summary>
    public bool? IsChanged { get; init; }

    /// <summary>Gold fields, as JSON.</summary>
    public string GoldJson { get; init; } = "";

    /// <summary>Output of the model.</summary>
    public string Output { get; init; } = "";

    /// <inheritdoc/>
    public override string ToString() => FormattableString.Invariant($"{RunId}[{Index}] {StoredScore:F3} stored, {Score:F3} scored");
}
