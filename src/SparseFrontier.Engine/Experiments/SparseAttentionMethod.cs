namespace SparseFrontier;

/// <summary>What the registry says of a method, as <c>Get-SparseAttentionMethod</c> and <c>sparsefrontier methods</c> show it.</summary>
public sealed class SparseAttentionMethod
{
    /// <summary>Name.</summary>
    public string Name { get; init; } = "";

    /// <summary>"Prefill" or "Decode".</summary>
    public string Phase { get; init; } = "";

    /// <summary>What is kept, in one sentence.</summary>
    public string Description { get; init; } = "";

    /// <summary>First axis of the taxonomy: unit of sparsification.</summary>
    public string Unit { get; init; } = "";

    /// <summary>Second axis: how importance is estimated.</summary>
    public string ImportanceEstimation { get; init; } = "";

    /// <summary>Third axis: how the budget is spread over heads.</summary>
    public string BudgetAllocation { get; init; } = "";

    /// <summary>Fourth axis: what happens to the KV cache.</summary>
    public string CacheManagement { get; init; } = "";

    /// <summary>Parameter that sets the budget; empty for dense attention.</summary>
    public string Budget { get; init; } = "";

    /// <summary>"Name=default;Name=default".</summary>
    public string DefaultParameters { get; init; } = "";

    /// <summary>Whether a sparsity is found by measuring calibration samples.</summary>
    public bool NeedsCalibration { get; init; }

    /// <summary>Whether it is a control.</summary>
    public bool IsControl { get; init; }

    /// <summary>Paper and section.</summary>
    public string Source { get; init; } = "";

    /// <inheritdoc/>
    public override string ToString() => Name;
}
