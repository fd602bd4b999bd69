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
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken) => throw new NotImplementedException();
}
