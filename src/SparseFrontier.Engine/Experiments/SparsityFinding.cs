namespace SparseFrontier;

/// <summary>What results say of a claim of the paper.</summary>
public enum FindingLabel
{
    /// <summary>They show it.</summary>
    Agrees,

    /// <summary>They show the opposite, or that a difference of the size that is looked for does not exist.</summary>
    Disagrees,

    /// <summary>They show neither: more samples could.</summary>
    Underpowered,

    /// <summary>They have no cell that could show it.</summary>
    NotTestable,
}

/// <summary>A claim of the paper and what results say of it. Flat, so that it survives JSON, CSV and remoting.</summary>
public sealed record SparsityFinding
{
    /// <summary>Name of the claim, such as "QuestOverAdaSnapKV".</summary>
    public string Name { get; init; } = "";

    /// <summary>The claim.</summary>
    public string Claim { get; init; } = "";

    /// <summary>Where the paper makes it.</summary>
    public string Source { get; init; } = "";

    /// <summary>What the results say.</summary>
    public FindingLabel Label { get; init; }

    /// <summary>What <see cref="Estimate"/> is, in words.</summary>
    public string Measure { get; init; } = "";

    /// <summary>The estimate; null where nothing could be estimated.</summary>
    public double? Estimate { get; init; }

    /// <summary>Lower end of its 95 % interval.</summary>
    public double? Low { get; init; }

    /// <summary>Upper end of its 95 % interval.</summary>
    public double? High { get; init; }

    /// <summary>P value of the claim's opposite, adjusted over all findings; small where the claim is shown.</summary>
    public double? PValue { get; init; }

    /// <summary>Samples: questions that enter, each once, however many runs answered it.</summary>
    public int SampleCount { get; init; }

    /// <summary>The fewest samples of a run that decides it; null where it is of no mean of differences.</summary>
    public int? RunSampleCountLow { get; init; }

    /// <summary>The most samples of a run that decides it; null where it is of no mean of differences.</summary>
    public int? RunSampleCountHigh { get; init; }

    /// <summary>
    /// Samples of each run, as SampleCount of a sweep, with which the claim would be decided, one way or the other, with a probability of 0.8 if differences are as observed; null where it is decided or
    /// cannot be said. Not of all tasks together, as <see cref="SampleCount"/> is.
    /// </summary>
    public int? NeededSampleCount { get; init; }

    /// <summary>Cells of a model, a task and a length that enter.</summary>
    public int CellCount { get; init; }

    /// <summary>The cells, in words.</summary>
    public string Cells { get; init; } = "";

    /// <summary>"Scaled": windows, forced sets, floors and tiles in proportion to the length; "Absolute": the paper's values.</summary>
    public string Series { get; init; } = "";

    /// <summary>Runs left out because more of what they keep is forced than chosen.</summary>
    public int ForcedCount { get; init; }

    /// <summary>Dense runs that are not clearly above chance: nothing beside them enters.</summary>
    public int BlindCount { get; init; }

    /// <summary>Mean score of the claim's methods less that of Random in the same cells; null without both.</summary>
    public double? GainOverRandom { get; init; }

    /// <summary>Lower end of its 95 % interval.</summary>
    public double? GainOverRandomLow { get; init; }

    /// <summary>Upper end of its 95 % interval.</summary>
    public double? GainOverRandomHigh { get; init; }

    /// <summary>Mean score of the claim's methods less that of WindowSink in the same cells; null without both.</summary>
    public double? GainOverWindowSink { get; init; }

    /// <summary>Lower end of its 95 % interval.</summary>
    public double? GainOverWindowSinkLow { get; init; }

    /// <summary>Upper end of its 95 % interval.</summary>
    public double? GainOverWindowSinkHigh { get; init; }

    /// <summary>Mean score of OracleTopK in the same cells less that of the claim's methods; null without both.</summary>
    public double? GapToOracle { get; init; }

    /// <summary>Lower end of its 95 % interval.</summary>
    public double? GapToOracleLow { get; init; }

    /// <summary>Upper end of its 95 % interval.</summary>
    public double? GapToOracleHigh { get; init; }

    /// <summary>Of a finding about cost: the share of attention in the largest model's dense cost there, scores and values alone; null of others.</summary>
    public double? AttentionShare { get; init; }

    /// <summary>The length at which Qwen2.5-7B has that share; null where it has it at none.</summary>
    public int? EquivalentLength { get; init; }

    /// <summary>The batch that is meant with it: decode steps share the reading of weights.</summary>
    public int? EquivalentBatch { get; init; }

    /// <summary>Whether a length enters that is beyond what a model was trained on.</summary>
    public bool IsExtrapolated { get; init; }

    /// <summary>Why.</summary>
    public string Message { get; init; } = "";

    /// <inheritdoc/>
    public override string ToString() => FormattableString.Invariant($"{Claim}: {Label}, {Estimate:F3} [{Low:F3}, {High:F3}]");
}
