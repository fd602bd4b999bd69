namespace SparseFrontier;

/// <summary>How costs are read.</summary>
public enum CostFormula
{
    /// <summary>Causal attention counted as such, decode in bytes: this project's own.</summary>
    Exact,

    /// <summary>The equations of the paper's appendix B as they are printed.</summary>
    Printed,

    /// <summary>As the paper's figures were made: sparsity on the whole attention block, weights that know grouped heads.</summary>
    Figure,
}

/// <summary>
/// The computed cost of one phase of a model at a length, batch, method and sparsity. Nothing of it is measured; columns that a phase does not
/// have are null.
/// </summary>
public sealed class SparseAttentionCost
{
    /// <summary>Model.</summary>
    public string Model { get; init; } = "";

    /// <summary>"Prefill": operations of reading the prompts. "Decode": what one step reads.</summary>
    public string Phase { get; init; } = "";

    /// <summary>Which reading of the formulas.</summary>
    public CostFormula Formula { get; init; }

    /// <summary>"FLOP", "element" or "byte", of all amounts of the row but <see cref="BuildFlops"/>.</summary>
    public string Unit { get; init; } = "";

    /// <summary>Prompt tokens; cached tokens in decode.</summary>
    public int SequenceLength { get; init; }

    /// <summary>Sequences of a batch.</summary>
    public int BatchSize { get; init; }

    /// <summary>Method.</summary>
    public string Method { get; init; } = "";

    /// <summary>Sparsity of global layers.</summary>
    public double Sparsity { get; init; }

    /// <summary>Parameters of the method; a budget that needs calibration is left out.</summary>
    public string Parameters { get; init; } = "";

    /// <summary>The whole cost, index included.</summary>
    public double Total { get; init; }

    /// <summary>The cost of dense attention.</summary>
    public double DenseTotal { get; init; }

    /// <summary>Dense over sparse cost, index included.</summary>
    public double Speedup { get; init; }

    /// <summary>Dense over sparse cost if choosing were free.</summary>
    public double SpeedupWithoutIndex { get; init; }

    /// <summary>Share of attention in the dense cost: projections included in the prefill, keys and values in decode.</summary>
    public double AttentionShare { get; init; }

    /// <summary>Share of choosing in the whole cost.</summary>
    public double IndexShare { get; init; }

    /// <summary>Query, key, value and output projections.</summary>
    public double? Projection { get; init; }

    /// <summary>Scores, softmax and weighted values.</summary>
    public double? Attention { get; init; }

    /// <summary>Feed-forward layers.</summary>
    public double? FeedForward { get; init; }

    /// <summary>Embedding.</summary>
    public double? Embedding { get; init; }

    /// <summary>Output projection.</summary>
    public double? Logits { get; init; }

    /// <summary>Weights read in a decode step.</summary>
    public double? Weights { get; init; }

    /// <summary>Keys and values read in a decode step.</summary>
    public double? KeyValue { get; init; }

    /// <summary>Choosing: operations in the prefill, data read in decode.</summary>
    public double Index { get; init; }

    /// <summary>Operations, once after the prompt, of evicting or of building page bounds.</summary>
    public double? BuildFlops { get; init; }

    /// <summary>Where the index's formula comes from: "paper", "own", or empty without an index.</summary>
    public string IndexSource { get; init; } = "";

    /// <inheritdoc/>
    public override string ToString() =>
        FormattableString.Invariant($"{Model} {Phase} {Method} {Sparsity:F2} @{SequenceLength}: {Total:G4} {Unit} ({Speedup:F2}x)");
}
