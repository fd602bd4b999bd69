namespace SparseFrontier;

/// <summary>How the values of several tasks become one point of a frontier.</summary>
public enum TaskAggregate
{
    /// <summary>Not at all: each task has points of its own.</summary>
    None,

    /// <summary>Their mean, each task counting the same, as in the paper's figures.</summary>
    Mean,

    /// <summary>The worst of them: what a configuration is good for on every task.</summary>
    Worst,
}
