namespace SparseFrontier.Experiments.Operations;

/// <summary>Lists tasks as <see cref="SparseAttentionTask"/>.</summary>
public sealed class GetTaskOperation
{
    /// <summary>Names; wildcards match. Empty: all.</summary>
    public IReadOnlyList<string> Name { get; init; } = [];

    /// <summary>Categories; wildcards match. Empty: all.</summary>
    public IReadOnlyList<string> Category { get; init; } = [];

    /// <summary>Emits the tasks; a name that matches nothing is the error TaskNotFound on the sink.</summary>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken) => throw new NotImplementedException();
}
