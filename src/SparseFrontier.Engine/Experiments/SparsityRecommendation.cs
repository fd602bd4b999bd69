namespace SparseFrontier;

/// <summary>
/// What to use in one phase at one length: a method and its budget that are shown to lose less than a margin on the tasks asked for, or dense attention.
/// Its properties have the names of run parameters, so that it can be run again. Flat, so that it survives JSON, CSV and remoting.
/// </summary>
public sealed record SparsityRecommendation
{
    /// <summary>Model: the directory of the checkpoint where it is known, else its name.</summary>
    public string Model { get; init; } = "";

    /// <summary>Task. What is advised is the same for all tasks asked for, and shown for each; the loss is this task's.</summary>
    public string Task { get; init; } = "";

    /// <summary>Tasks asked for together.</summary>
    public int TaskCount { get; init; }

    /// <summary>Prompt tokens.</summary>
    public int SequenceLength { get; init; }

    /// <summary>"Prefill", "Decode", or "Both" for runs that were sparse in both.</summary>
    public string Phase { get; init; } = "";

    /// <summary>Prefill method.</summary>
    public string Method { get; init; } = "Dense";

    /// <summary>Decode method.</summary>
    public string DecodeMethod { get; init; } = "Dense";

    /// <summary>The sparsity to ask for; null where <see cref="Parameters"/> give the budget, and for dense attention.</summary>
    public double? Sparsity { get; init; }

    /// <summary>The decode sparsity to ask for where both phases are sparse.</summary>
    public double? DecodeSparsity { get; init; }

    /// <summary>"Name=value;Name=value" of the method; with several lengths the budget is among them.</summary>
    public string Parameters { get; init; } = "";

    /// <summary>
    /// With several lengths, how the budget grows with them: up to each length the budget that is shown there, dense beyond the longest and where nothing is
    /// shown. Empty for one length, and for methods whose budget is more than one number.
    /// </summary>
    public string BudgetSchedule { get; init; } = "";

    /// <summary>The measured sparsity that is shown to be tolerated, the least over the tasks; null for dense attention.</summary>
    public double? ToleratedSparsity { get; init; }

    /// <summary>Tokens of the prompt that it keeps on average, right after the prompt.</summary>
    public double? KeptTokens { get; init; }

    /// <summary>
    /// Whether the length was not run and lies between two that were: what is advised is shown at both, and loss, dense score and speed-up are interpolated in the logarithm
    /// of the length. Nothing is advised outside of the lengths that were run.
    /// </summary>
    public bool IsInterpolated { get; init; }

    /// <summary>Mean score of dense attention on this task.</summary>
    public double? DenseScore { get; init; }

    /// <summary>Mean loss of score to expect, on this task.</summary>
    public double? Loss { get; init; }

    /// <summary>Lower bound of that loss, one-sided at the confidence level.</summary>
    public double? LossLow { get; init; }

    /// <summary>Upper bound of that loss, one-sided at the confidence level.</summary>
    public double? LossHigh { get; init; }

    /// <summary>Samples compared.</summary>
    public int ComparedCount { get; init; }

    /// <summary>The margin.</summary>
    public double MaximumDrop { get; init; }

    /// <summary>Whether the margin is a share of the dense score.</summary>
    public bool IsRelative { get; init; }

    /// <summary>Confidence of the claim, over all methods tested at this length.</summary>
    public double ConfidenceLevel { get; init; }

    /// <summary>How many times as fast as dense to expect; null where nothing was measured.</summary>
    public double? SpeedUp { get; init; }

    /// <summary>What the speed-up is of: "attention" from a table of kernels, "prefill" or "decode" of the runs themselves.</summary>
    public string SpeedUpOf { get; init; } = "";

    /// <summary>Device that it was measured on.</summary>
    public string Device { get; init; } = "cpu";

    /// <summary>Position of the question, as in the runs.</summary>
    public string QuestionPosition { get; init; } = "Both";

    /// <summary>What the cache was compressed before, as in the runs.</summary>
    public string CompressBefore { get; init; } = "None";

    /// <summary>Task parameters, as in the runs.</summary>
    public string TaskParameters { get; init; } = "";

    /// <summary>Output tokens at most, as in the runs.</summary>
    public int? MaximumOutputTokens { get; init; }

    /// <summary>Whether prompts had the short instructions.</summary>
    public bool ShortInstructions { get; init; }

    /// <summary>Whether scores followed the paper's code.</summary>
    public bool ReferenceScoring { get; init; }

    /// <summary>What it is from where no results were given: the shipped summary, with its model, samples, seed, device, version and date. Or the folder of results that stood in for them. Empty: the results given.</summary>
    public string Source { get; init; } = "";

    /// <summary>Why, in words: what was shown, what else was tested, what stands in the way of more.</summary>
    public string Reason { get; init; } = "";

    /// <inheritdoc/>
    public override string ToString() =>
        FormattableString.Invariant($"{Phase} {Method}+{DecodeMethod}@{SequenceLength}: {(ToleratedSparsity is { } s ? FormattableString.Invariant($"{s:F2}") : "dense")}");
}
