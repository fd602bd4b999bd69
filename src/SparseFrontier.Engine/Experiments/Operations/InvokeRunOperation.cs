namespace SparseFrontier.Experiments.Operations;

/// <summary>
/// Runs specifications and emits one <see cref="SparseAttentionResult"/> as each run completes. A run that the store holds already is
/// returned, an interrupted one goes on where it stopped.
/// </summary>
public sealed class InvokeRunOperation
{
    /// <summary>The runs.</summary>
    public required IReadOnlyList<RunSpecification> Specifications { get; init; }

    /// <summary>Folder of results; empty: <c>SPARSEFRONTIER_RESULTS</c>, else "results" in the current directory.</summary>
    public string ResultPath { get; init; } = "";

    /// <summary>Whether to run again what is finished.</summary>
    public bool Force { get; init; }

    /// <summary>Sequences generated side by side at most; changes speed and memory, never results.</summary>
    public int BatchSize { get; init; } = 8;

    /// <summary>Checks every specification, then runs them.</summary>
    /// <exception cref="SparseFrontierException">Whatever is wrong with a specification, before any run starts; RunBusy, ResultWriteFailed.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; what is finished is kept.</exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken) => throw new NotImplementedException();
}
