namespace SparseFrontier;

/// <summary>Grids of runs that have a name; one at a time: PowerShell joins the values of several names by their bits, and refuses a value without a name.</summary>
public enum SweepPreset
{
    /// <summary>The paper's own grid.</summary>
    Paper = 1,

    /// <summary>The paper's ablations: every value that it tried of each method's parameters.</summary>
    Ablation = 2,

    /// <summary>The grid of docs/findings.md on the embedded models, for a GPU.</summary>
    Findings = 4,

    /// <summary>The same for two cores.</summary>
    FindingsSmall = 8,
}
