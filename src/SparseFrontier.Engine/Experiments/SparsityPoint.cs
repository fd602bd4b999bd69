namespace SparseFrontier;

/// <summary>One run as a point of cost against value, and whether another point of its group is at least as good in both.</summary>
public sealed record SparsityPoint
{
    /// <summary>Task.</summary>
    public string Task { get; init; } = "";

    /// <summary>Model.</summary>
    public string Model { get; init; } = "";

    /// <summary>Prompt tokens.</summary>
    public int SequenceLength { get; init; }

    /// <summary>How the samples were asked where that is not as usual, as "Column=value; ...": rows of different protocols have frontiers of their own.</summary>
    public string Protocol { get; init; } = "";

    /// <summary>Prefill method.</summary>
    public string Method { get; init; } = "";

    /// <summary>Decode method.</summary>
    public string DecodeMethod { get; init; } = "";

    /// <summary>Sparsity of the prefill, as measured; nominal in rows that were imported.</summary>
    public double? PrefillSparsity { get; init; }

    /// <summary>Sparsity of the decode, as measured; nominal in rows that were imported.</summary>
    public double? DecodeSparsity { get; init; }

    /// <summary>What <see cref="Cost"/> is, such as "Density" or "BytesRead".</summary>
    public string CostName { get; init; } = "";

    /// <summary>Cost; less is better.</summary>
    public double Cost { get; init; }

    /// <summary>What <see cref="Value"/> is, such as "Score".</summary>
    public string ValueName { get; init; } = "";

    /// <summary>Value; more is better.</summary>
    public double Value { get; init; }

    /// <summary>Lower end of the value's 95 % interval.</summary>
    public double? ValueLow { get; init; }

    /// <summary>Upper end of the value's 95 % interval.</summary>
    public double? ValueHigh { get; init; }

    /// <summary>Whether no other point of the group costs at most as much and is worth at least as much, and is better in one.</summary>
    public bool IsOptimal { get; init; }

    /// <summary>
    /// Whether the score is more than 0.05 above that of answers at random; its interval says how sure that is. An optimal point for which this is false is on the frontier by
    /// its cost alone. Null where the value is not the score.
    /// </summary>
    public bool? IsAboveChance { get; init; }

    /// <summary>The cheapest optimal point that dominates this one, as "Method+DecodeMethod sparsity/sparsity [run id]"; null if optimal.</summary>
    public string? DominatedBy { get; init; }

    /// <summary>The group that the frontier is of, such as "Niah at 2048 tokens, frontier-3m".</summary>
    public string Frontier { get; init; } = "";

    /// <summary>Number of models in the group.</summary>
    public int ModelCount { get; init; } = 1;

    /// <summary>
    /// Lower end of the 95 % interval of the best value that this cost buys, from resampling samples jointly for all runs; null where samples
    /// are not here.
    /// </summary>
    public double? FrontierLow { get; init; }

    /// <summary>Upper end of that interval.</summary>
    public double? FrontierHigh { get; init; }

    /// <summary>Share of the resamples in which the point is on the frontier.</summary>
    public double? OptimalShare { get; init; }

    /// <summary>Mean of the best value over costs from 0 to the group's largest; the same for all points of the group.</summary>
    public double? Hypervolume { get; init; }

    /// <summary>Lower end of the hypervolume's 95 % interval.</summary>
    public double? HypervolumeLow { get; init; }

    /// <summary>Upper end of the hypervolume's 95 % interval.</summary>
    public double? HypervolumeHigh { get; init; }

    /// <summary>The run.</summary>
    public string RunId { get; init; } = "";

    /// <summary>Score of answers at random, for reports; null of points that were not computed here.</summary>
    internal double? Chance { get; init; }

    /// <inheritdoc/>
    public override string ToString() => FormattableString.Invariant($"{Method}+{DecodeMethod} {CostName} {Cost:G4} -> {Value:F3}{(IsOptimal ? " *" : "")}");
}
