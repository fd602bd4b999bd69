using SparseFrontier.Tasks;

namespace SparseFrontier.Experiments.Operations;

/// <summary>Lists tasks as <see cref="SparseAttentionTask"/>.</summary>
public sealed class GetTaskOperation
{
    /// <summary>Names; wildcards match. Empty: all.</summary>
    public IReadOnlyList<string> Name { get; init; } = [];

    /// <summary>Categories; wildcards match. Empty: all.</summary>
    public IReadOnlyList<string> Category { get; init; } = [];

    /// <summary>Emits the tasks; a name that matches nothing is the error TaskNotFound on the sink.</summary>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        CatalogListing.Emit(
            [.. TaskRegistry.Tasks.Where(t => Category.Count == 0 || Category.Any(c => NameMatcher.Matches(t.Category, c)))],
            t => t.Name,
            Name,
            (_, _) => true,
            ErrorIds.TaskNotFound,
            "task",
            Describe,
            sink,
            cancellationToken);
    }

    private static SparseAttentionTask Describe(EvaluationTask task) => new()
    {
        Name = task.Name,
        Category = task.Category,
        Description = task.Description,
        Dispersion = task.Dispersion,
        Scope = task.Scope,
        Metric = task.Metric,
        ChanceScore = task.ChanceScore,
        ApproximationWindow = task.ApproximationWindow,
        DefaultParameters = ParameterText.Format(task.Parameters.Select(p => new KeyValuePair<string, double>(p.Name, p.Default))),
    };
}
