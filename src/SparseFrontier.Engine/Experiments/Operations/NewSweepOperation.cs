namespace SparseFrontier.Experiments.Operations;

/// <summary>Multiplies a grid out and emits one <see cref="RunSpecification"/> a cell. Nothing is loaded or written.</summary>
public sealed class NewSweepOperation
{
    /// <summary>The grid.</summary>
    public SweepDefinition Sweep { get; init; } = new();

    /// <summary>Emits the specifications.</summary>
    /// <exception cref="SparseFrontierException">MethodNotFound, TaskNotFound, MethodParameterInvalid, SparsityOutOfRange, ParameterInvalid.</exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        foreach (RunSpecification specification in SweepBuilder.Build(Sweep))
        {
            cancellationToken.ThrowIfCancellationRequested();
            sink.Object(specification);
        }
    }
}
