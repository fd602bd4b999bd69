namespace SparseFrontier;

/// <summary>What the registry says of a task, as <c>Get-SparseAttentionTask</c> and <c>sparsefrontier tasks</c> show it.</summary>
public sealed class SparseAttentionTask
{
    /// <summary>Name.</summary>
    public string Name { get; init; } = "";

    /// <summary>"Retrieval", "MultiHop", "Aggregation" or "QuestionAnswering".</summary>
    public string Category { get; init; } = "";

    /// <summary>What it asks of a model, in one sentence.</summary>
    public string Description { get; init; } = "";

    /// <summary>"Low" or "High": how hard it is to locate what is needed.</summary>
    public string Dispersion { get; init; } = "";

    /// <summary>"Low" or "High": how much is needed.</summary>
    public string Scope { get; init; } = "";

    /// <summary>Name of the metric.</summary>
    public string Metric { get; init; } = "";

    /// <summary>The mean score of answers chosen without reading the context.</summary>
    public double ChanceScore { get; init; }

    /// <summary>Approximation window that the paper uses for the task, in queries.</summary>
    public int ApproximationWindow { get; init; }

    /// <summary>"Name=default;Name=default".</summary>
    public string DefaultParameters { get; init; } = "";

    /// <inheritdoc/>
    public override string ToString() => Name;
}
