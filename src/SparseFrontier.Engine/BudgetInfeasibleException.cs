namespace SparseFrontier;

/// <summary>A budget that a length cannot hold: what a method always keeps (sinks, windows, floors) already exceeds it.</summary>
public sealed class BudgetInfeasibleException : SparseFrontierException
{
    /// <summary>Creates the error <see cref="ErrorIds.BudgetInfeasible"/>.</summary>
    /// <param name="message">What is wrong, why, and what to do; names the feasible maximum.</param>
    /// <param name="maximumFeasibleSparsity">Largest sparsity that the method can have at the length, 0 to 1.</param>
    /// <param name="target">The budget or sparsity that was asked for.</param>
    public BudgetInfeasibleException(string message, double maximumFeasibleSparsity, object? target = null)
        : base(ErrorIds.BudgetInfeasible, message, target) => MaximumFeasibleSparsity = maximumFeasibleSparsity;

    /// <summary>Largest sparsity that the method can have at the length, 0 to 1.</summary>
    public double MaximumFeasibleSparsity { get; }
}
