namespace SparseFrontier;

/// <summary>What counts as tolerated.</summary>
public enum ToleranceCriterion
{
    /// <summary>The loss is shown to be below a margin.</summary>
    NonInferiority,

    /// <summary>The loss is not significant, as in the paper's first version: the fewer samples, the more is tolerated.</summary>
    Paper,
}

/// <summary>Over what the chance of any false claim is controlled.</summary>
public enum ToleranceCorrection
{
    /// <summary>The methods of one model, task and length: one may be picked among them.</summary>
    Cell,

    /// <summary>Everything given.</summary>
    All,

    /// <summary>Each method by itself.</summary>
    None,
}

/// <summary>The largest sparsity that one method tolerates on one task, model and length.</summary>
public sealed record SparsityTolerance
{
    /// <summary>Task; in the worst-task view, the worst one.</summary>
    public string Task { get; init; } = "";

    /// <summary>Number of tasks that this row is the worst of; 1 outside of the worst-task view.</summary>
    public int TaskCount { get; init; } = 1;

    /// <summary>Model.</summary>
    public string Model { get; init; } = "";

    /// <summary>Prompt tokens.</summary>
    public int SequenceLength { get; init; }

    /// <summary>How the samples were asked where that is not as usual, as "Column=value; ...".</summary>
    public string Protocol { get; init; } = "";

    /// <summary>Prefill method.</summary>
    public string Method { get; init; } = "";

    /// <summary>Decode method.</summary>
    public string DecodeMethod { get; init; } = "";

    /// <summary>Parameters that are the same at all tested sparsities.</summary>
    public string Parameters { get; init; } = "";

    /// <summary>The decode sparsity asked for, where both phases are sparse: the tolerated sparsity is then the prefill's.</summary>
    public double? DecodeSparsity { get; init; }

    /// <summary>What counts as tolerated.</summary>
    public ToleranceCriterion Criterion { get; init; }

    /// <summary>The margin: the mean loss of score that is accepted; null under the paper's criterion.</summary>
    public double? MaximumDrop { get; init; }

    /// <summary>Whether the margin is a share of the dense score.</summary>
    public bool IsRelative { get; init; }

    /// <summary>Confidence of a claim, one-sided.</summary>
    public double ConfidenceLevel { get; init; }

    /// <summary>Over what the chance of any false claim is controlled.</summary>
    public ToleranceCorrection Correction { get; init; }

    /// <summary>The largest measured sparsity that is tolerated, as is every lower tested one; null if that is not established for any.</summary>
    public double? ToleratedSparsity { get; init; }

    /// <summary>Mean loss of score there.</summary>
    public double? Loss { get; init; }

    /// <summary>One-sided upper bound of that loss at the confidence level, without correction.</summary>
    public double? LossHigh { get; init; }

    /// <summary>P value of the claim there, without correction.</summary>
    public double? PValue { get; init; }

    /// <summary>The lowest tested sparsity beyond; null if all tested ones are tolerated.</summary>
    public double? NextSparsity { get; init; }

    /// <summary>Mean loss there.</summary>
    public double? NextLoss { get; init; }

    /// <summary>One-sided upper bound of the loss there, without correction.</summary>
    public double? NextLossHigh { get; init; }

    /// <summary>P value there, without correction.</summary>
    public double? NextPValue { get; init; }

    /// <summary>Mean score of the dense run on the samples compared at the lowest sparsity.</summary>
    public double? DenseScore { get; init; }

    /// <summary>Score of answers chosen without reading the context; 0 for a task that is not known here.</summary>
    public double ChanceScore { get; init; }

    /// <summary>
    /// Whether dense attention is shown to be so far above chance that answers at random would lose more than the margin (under the paper's criterion: above chance at
    /// all). Where it is not, nothing is established.
    /// </summary>
    public bool IsLossVisible { get; init; }

    /// <summary>Samples compared: the fewest of all tested sparsities.</summary>
    public int SampleCount { get; init; }

    /// <summary>
    /// Samples with which the next sparsity would be established with probability 0.8 if its true loss is the observed one; null if there is
    /// none, or if the observed loss is not below the margin. Of all seeds together, as <see cref="SampleCount"/> is.
    /// </summary>
    public int? NeededSampleCount { get; init; }

    /// <summary>Number of tested sparsities.</summary>
    public int LevelCount { get; init; }

    /// <summary>What stands in the way of more, in words; empty if nothing does.</summary>
    public string Message { get; init; } = "";

    /// <inheritdoc/>
    public override string ToString() =>
        FormattableString.Invariant($"{Method}+{DecodeMethod} {Task}@{SequenceLength}: {(ToleratedSparsity is { } s ? FormattableString.Invariant($"{s:F2}") : "not established")} {Message}").TrimEnd();
}
