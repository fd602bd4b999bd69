namespace SparseFrontier;

/// <summary>What samples say of a claim.</summary>
public enum ClaimVerdict
{
    /// <summary>They show it.</summary>
    Supported,

    /// <summary>They show the opposite.</summary>
    Refuted,

    /// <summary>They show neither.</summary>
    Underpowered,
}

/// <summary>A claim about two methods, tested on one task, model, length and pair of sparsities. Flat, so that it survives JSON, CSV and remoting.</summary>
public sealed record SparsityClaim
{
    /// <summary>The claim, such as "Quest over SnapKV".</summary>
    public string Claim { get; init; } = "";

    /// <summary>Task.</summary>
    public string Task { get; init; } = "";

    /// <summary>Model.</summary>
    public string Model { get; init; } = "";

    /// <summary>Prompt tokens.</summary>
    public int SequenceLength { get; init; }

    /// <summary>How the samples were asked where that is not as usual, as "Column=value; ...".</summary>
    public string Protocol { get; init; } = "";

    /// <summary>The method that the claim is for, such as "Quest" or "VerticalSlash + Quest".</summary>
    public string Method { get; init; } = "";

    /// <summary>Its sparsity that was asked for, of the prefill where both phases are sparse; null for dense attention.</summary>
    public double? Sparsity { get; init; }

    /// <summary>Its measured sparsity, the mean over seeds: of the prefill, or of the prompt's cache; null for dense attention.</summary>
    public double? MeasuredSparsity { get; init; }

    /// <summary>Its parameters other than the budget.</summary>
    public string Parameters { get; init; } = "";

    /// <summary>The method that it is compared with.</summary>
    public string OtherMethod { get; init; } = "";

    /// <summary>The other's sparsity that was asked for; null for dense attention.</summary>
    public double? OtherSparsity { get; init; }

    /// <summary>The other's measured sparsity; null for dense attention.</summary>
    public double? OtherMeasuredSparsity { get; init; }

    /// <summary>The other's parameters other than the budget.</summary>
    public string OtherParameters { get; init; } = "";

    /// <summary>The difference that the claim puts as its limit: the margin, or minus the margin for "not below".</summary>
    public double Threshold { get; init; }

    /// <summary>Confidence of a verdict, one-sided.</summary>
    public double ConfidenceLevel { get; init; }

    /// <summary>Mean score of the method.</summary>
    public double Score { get; init; }

    /// <summary>Mean score of the other.</summary>
    public double OtherScore { get; init; }

    /// <summary>Score minus the other's.</summary>
    public double Difference { get; init; }

    /// <summary>One-sided lower bound of the difference: the claim is supported where it is above the threshold.</summary>
    public double DifferenceLow { get; init; }

    /// <summary>One-sided upper bound of the difference: the claim is refuted where it is below the threshold.</summary>
    public double DifferenceHigh { get; init; }

    /// <summary>P value of the claim's opposite: small where the claim is supported.</summary>
    public double PValue { get; init; }

    /// <summary>How it was tested: "Paired" sample by sample, or "Welch" on means and standard errors where samples are not here.</summary>
    public string Test { get; init; } = "";

    /// <summary>Samples compared.</summary>
    public int SampleCount { get; init; }

    /// <summary>
    /// Samples with which the claim would be supported or refuted, whichever the observed difference points to, with probability 0.8 if that is the true one;
    /// null where it is decided already, or the difference lies on the threshold. Of all seeds together, as <see cref="SampleCount"/> is.
    /// </summary>
    public int? NeededSampleCount { get; init; }

    /// <summary>What is shown.</summary>
    public ClaimVerdict Verdict { get; init; }

    /// <summary>The verdict in words.</summary>
    public string Message { get; init; } = "";

    /// <inheritdoc/>
    public override string ToString() => FormattableString.Invariant($"{Claim} on {Task}@{SequenceLength}: {Verdict}, {Message}");
}
