namespace SparseFrontier.Experiments.Operations;

/// <summary>Lists checkpoints as <see cref="SparseAttentionModel"/>, from their headers alone.</summary>
public sealed class GetModelOperation
{
    /// <summary>
    /// Checkpoint directories, folders of them, or names of embedded models; wildcards match. Empty: the embedded models and those in
    /// <c>SPARSEFRONTIER_MODELS</c>.
    /// </summary>
    public IReadOnlyList<string> Path { get; init; } = [];

    /// <summary>Emits the models; what cannot be read is an error on the sink.</summary>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken) => throw new NotImplementedException();
}
