namespace SparseFrontier;

/// <summary>Grids of runs that have a name.</summary>
public enum SweepPreset
{
    /// <summary>The paper's own grid.</summary>
    Paper,

    /// <summary>The paper's ablations: every value that it tried of each method's parameters.</summary>
    Ablation,

    /// <summary>The grid of docs/findings.md on the embedded models, for a GPU.</summary>
    Findings,

    /// <summary>The same for two cores.</summary>
    FindingsSmall,
}
