namespace SparseFrontier;

/// <summary>What a comparison of a run with its baseline shows.</summary>
public enum ComparisonVerdict
{
    /// <summary>Every sample has the score it had.</summary>
    Unchanged,

    /// <summary>The loss is shown to be below the margin.</summary>
    WithinMargin,

    /// <summary>A gain above the margin is shown.</summary>
    Improved,

    /// <summary>A loss above the margin is shown.</summary>
    Regressed,

    /// <summary>None of these is shown.</summary>
    Unclear,

    /// <summary>There is no completed run to compare with the baseline, or the two cannot be compared.</summary>
    Missing,
}

/// <summary>What makes a comparison fail.</summary>
public enum ComparisonGate
{
    /// <summary>Nothing.</summary>
    Never,

    /// <summary>A run that is shown to lose more than the margin, or is missing.</summary>
    Regression,

    /// <summary>A run that is not shown to lose less than the margin, or is missing.</summary>
    Doubt,

    /// <summary>A run of which any sample has another score or output, or is missing.</summary>
    Change,
}

/// <summary>One run beside its baseline, compared sample by sample. Flat, so that it survives JSON, CSV and remoting.</summary>
public sealed record ResultDifference
{
    /// <summary>Task.</summary>
    public string Task { get; init; } = "";

    /// <summary>Model of the run that is compared.</summary>
    public string Model { get; init; } = "";

    /// <summary>Prompt tokens.</summary>
    public int SequenceLength { get; init; }

    /// <summary>How the samples were asked where that is not as usual, as "Column=value; ...".</summary>
    public string Protocol { get; init; } = "";

    /// <summary>Prefill method of the run that is compared.</summary>
    public string Method { get; init; } = "";

    /// <summary>Its decode method.</summary>
    public string DecodeMethod { get; init; } = "";

    /// <summary>Prefill sparsity that was asked for.</summary>
    public double? RequestedSparsity { get; init; }

    /// <summary>Decode sparsity that was asked for.</summary>
    public double? RequestedDecodeSparsity { get; init; }

    /// <summary>Its parameters other than the budget.</summary>
    public string Parameters { get; init; } = "";

    /// <summary>Mean score of the baseline on the samples compared.</summary>
    public double? BaselineScore { get; init; }

    /// <summary>Mean score of the run on them.</summary>
    public double? Score { get; init; }

    /// <summary>Score minus the baseline's.</summary>
    public double? Difference { get; init; }

    /// <summary>One-sided lower bound of the difference at the confidence level, without correction.</summary>
    public double? DifferenceLow { get; init; }

    /// <summary>One-sided upper bound of the difference at the confidence level, without correction.</summary>
    public double? DifferenceHigh { get; init; }

    /// <summary>The loss that is accepted.</summary>
    public double MaximumDrop { get; init; }

    /// <summary>Confidence of a verdict over all rows together.</summary>
    public double ConfidenceLevel { get; init; }

    /// <summary>P value of "no more is lost than the margin": small where a regression is shown; without correction.</summary>
    public double? RegressionPValue { get; init; }

    /// <summary>The same adjusted for all rows (Holm).</summary>
    public double? AdjustedPValue { get; init; }

    /// <summary>How it was tested: "Paired" sample by sample, or "Welch" on means and standard errors where samples are not here.</summary>
    public string Test { get; init; } = "";

    /// <summary>Samples compared.</summary>
    public int SampleCount { get; init; }

    /// <summary>Samples whose score differs; null where samples are not here.</summary>
    public int? ChangedScoreCount { get; init; }

    /// <summary>Samples whose output differs; null where samples are not here.</summary>
    public int? ChangedOutputCount { get; init; }

    /// <summary>Seconds of a sample of the baseline, the mean over all; a step that runs shared is divided equally among them.</summary>
    public double? BaselineElapsedSeconds { get; init; }

    /// <summary>The same of the run.</summary>
    public double? ElapsedSeconds { get; init; }

    /// <summary>What is shown.</summary>
    public ComparisonVerdict Verdict { get; init; }

    /// <summary>The verdict in words.</summary>
    public string Message { get; init; } = "";

    /// <summary>The baseline.</summary>
    public string BaselineRunId { get; init; } = "";

    /// <summary>The run.</summary>
    public string RunId { get; init; } = "";

    /// <summary>Score of answers at random, for messages.</summary>
    internal double Chance { get; init; }

    /// <inheritdoc/>
    public override string ToString() =>
        FormattableString.Invariant($"{Method}+{DecodeMethod} {Task}@{SequenceLength}: {BaselineScore:F3} -> {Score:F3}, {Verdict}");
}
