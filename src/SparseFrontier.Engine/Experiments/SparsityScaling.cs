namespace SparseFrontier;

/// <summary>How a score depends on the logarithms of model size, length and compression.</summary>
public enum ScalingForm
{
    /// <summary>logit(score) is linear in them, as is inferred of the paper: predictions stay between 0 and 1.</summary>
    Logit,

    /// <summary>The score itself is.</summary>
    Logarithmic,
}

/// <summary>The axis whose largest value a fit did not see.</summary>
public enum ScalingHoldOut
{
    /// <summary>None: the fit saw all.</summary>
    None,

    /// <summary>Prompt tokens.</summary>
    Length,

    /// <summary>Parameters of the model.</summary>
    Size,

    /// <summary>1 / (1 - sparsity).</summary>
    Compression,
}

/// <summary>
/// A scaling law of one method, and how well it predicts one task: g(score) = Intercept + Offset + SizeSlope ln(parameters) + LengthSlope ln(tokens) +
/// CompressionSlope ln(compression). What concerns the whole fit is the same in the rows of all its tasks. Flat, so that it survives JSON, CSV and remoting.
/// </summary>
public sealed record SparsityScaling
{
    /// <summary>Prefill method.</summary>
    public string Method { get; init; } = "";

    /// <summary>Decode method.</summary>
    public string DecodeMethod { get; init; } = "";

    /// <summary>Parameters other than the budget.</summary>
    public string Parameters { get; init; } = "";

    /// <summary>How the samples were asked where that is not as usual, as "Column=value; ...".</summary>
    public string Protocol { get; init; } = "";

    /// <summary>Form.</summary>
    public ScalingForm Form { get; init; }

    /// <summary>The axis whose largest value the fit did not see; its predictions are compared with what was measured there.</summary>
    public ScalingHoldOut HeldOut { get; init; }

    /// <summary>That value: tokens, parameters or compression; null where none is held out.</summary>
    public double? HeldOutValue { get; init; }

    /// <summary>Points that the fit saw, of all tasks.</summary>
    public int PointCount { get; init; }

    /// <summary>Cells of a model, length and task among them, whose points share samples.</summary>
    public int CellCount { get; init; }

    /// <summary>Share of the variance of the scores that it explains where it was fitted.</summary>
    public double? Determination { get; init; }

    /// <summary>Intercept: the reference task's.</summary>
    public double Intercept { get; init; }

    /// <summary>Lower end of its 95 % interval, by a jackknife over cells.</summary>
    public double? InterceptLow { get; init; }

    /// <summary>Upper end.</summary>
    public double? InterceptHigh { get; init; }

    /// <summary>Slope in ln(parameters); null where one size was fitted.</summary>
    public double? SizeSlope { get; init; }

    /// <summary>Lower end.</summary>
    public double? SizeSlopeLow { get; init; }

    /// <summary>Upper end.</summary>
    public double? SizeSlopeHigh { get; init; }

    /// <summary>Slope in ln(tokens); null where one length was fitted.</summary>
    public double? LengthSlope { get; init; }

    /// <summary>Lower end.</summary>
    public double? LengthSlopeLow { get; init; }

    /// <summary>Upper end.</summary>
    public double? LengthSlopeHigh { get; init; }

    /// <summary>Slope in ln(compression).</summary>
    public double? CompressionSlope { get; init; }

    /// <summary>Lower end.</summary>
    public double? CompressionSlopeLow { get; init; }

    /// <summary>Upper end.</summary>
    public double? CompressionSlopeHigh { get; init; }

    /// <summary>The task whose offset is 0.</summary>
    public string ReferenceTask { get; init; } = "";

    /// <summary>Task.</summary>
    public string Task { get; init; } = "";

    /// <summary>Its offset; null where it is infinite, because all its scores are 1 or all are 0 (<see cref="IsSaturated"/>).</summary>
    public double? Offset { get; init; }

    /// <summary>Lower end of its 95 % interval; null for the reference task and where one cell carries it.</summary>
    public double? OffsetLow { get; init; }

    /// <summary>Upper end.</summary>
    public double? OffsetHigh { get; init; }

    /// <summary>Whether all scores of the task that the fit saw are 1 or all are 0, which the logit form predicts for it everywhere.</summary>
    public bool IsSaturated { get; init; }

    /// <summary>Predictions of this task that were compared: of what was held out, or of the fitted points where nothing was.</summary>
    public int PredictedCount { get; init; }

    /// <summary>Mean distance of prediction and score over them.</summary>
    public double? MeanError { get; init; }

    /// <summary>Spearman's rank correlation of prediction and score; null below three or where all are equal.</summary>
    public double? RankCorrelation { get; init; }

    /// <summary>Its two-sided p value.</summary>
    public double? RankPValue { get; init; }

    /// <summary>Mean distance of prediction and score over all tasks.</summary>
    public double? AllError { get; init; }

    /// <summary>1 - squared distances of prediction and score over the scores' from their mean, over all tasks; negative where the mean itself would predict better.</summary>
    public double? AllDetermination { get; init; }

    /// <summary>Whether <see cref="AllError"/> is below the other form's; null where the other could not be fitted.</summary>
    public bool? PredictsBetter { get; init; }

    /// <inheritdoc/>
    public override string ToString() =>
        FormattableString.Invariant($"{Method}+{DecodeMethod} {Form}, held out {HeldOut}: {Task} error {MeanError:F3}");
}
