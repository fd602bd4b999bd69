using SparseFrontier.Attention;

namespace SparseFrontier.Experiments.Operations;

/// <summary>Lists methods as <see cref="SparseAttentionMethod"/>.</summary>
public sealed class GetMethodOperation
{
    /// <summary>Names; wildcards match. Empty: all.</summary>
    public IReadOnlyList<string> Name { get; init; } = [];

    /// <summary>"Prefill", "Decode" or null for both.</summary>
    public string? Phase { get; init; }

    /// <summary>Whether to list controls too; a control named without wildcards is always listed.</summary>
    public bool IncludeControl { get; init; }

    /// <summary>Emits the methods; a name that matches nothing is the error MethodNotFound on the sink.</summary>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        IEnumerable<AttentionMethod> all = [.. MethodRegistry.PrefillMethods, .. MethodRegistry.DecodeMethods];
        if (Phase is { Length: > 0 } phase)
        {
            all = all.Where(m => m.Phase.ToString().Equals(phase, StringComparison.OrdinalIgnoreCase));
        }

        CatalogListing.Emit(
            [.. all],
            m => m.Name,
            Name,
            (method, named) => !method.IsControl || IncludeControl || named,
            ErrorIds.MethodNotFound,
            "method",
            Describe,
            sink,
            cancellationToken);
    }

    private static SparseAttentionMethod Describe(AttentionMethod method) => new()
    {
        Name = method.Name,
        Phase = method.Phase.ToString(),
        Description = method.Description,
        Unit = method.Taxonomy.Unit,
        ImportanceEstimation = method.Taxonomy.ImportanceEstimation,
        BudgetAllocation = method.Taxonomy.BudgetAllocation,
        CacheManagement = method.Taxonomy.CacheManagement,
        Budget = method.BudgetParameter ?? "",
        DefaultParameters = method.CreateParameters().ToString(),
        NeedsCalibration = method.NeedsCalibration,
        IsControl = method.IsControl,
        Source = method.Source,
    };
}
