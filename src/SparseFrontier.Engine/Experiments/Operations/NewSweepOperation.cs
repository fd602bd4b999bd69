using SparseFrontier.Attention;
using SparseFrontier.Tasks;

namespace SparseFrontier.Experiments.Operations;

/// <summary>Multiplies a grid out and emits one <see cref="RunSpecification"/> a cell. Nothing is loaded or written. A grid without any, because of wildcards that match nothing, is warned of.</summary>
public sealed class NewSweepOperation
{
    /// <summary>The grid.</summary>
    public SweepDefinition Sweep { get; init; } = new();

    /// <summary>Emits the specifications.</summary>
    /// <exception cref="SparseFrontierException">MethodNotFound, TaskNotFound, MethodParameterInvalid, SparsityOutOfRange, ParameterInvalid.</exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        IReadOnlyList<RunSpecification> specifications = SweepBuilder.Build(Sweep);
        foreach (RunSpecification specification in specifications)
        {
            cancellationToken.ThrowIfCancellationRequested();
            sink.Object(specification);
        }

        if (specifications.Count == 0)
        {
            string[] names =
            [
                .. Sweep.Method.Concat(Sweep.DecodeMethod).Where(n => MethodRegistry.Match(n.Split(';')[0].Trim()).Count == 0),
                .. Sweep.Task.Where(n => !TaskRegistry.FindAll([n]).Any()),
            ];
            sink.Warning($"There is nothing to run{(names.Length > 0 ? $": nothing matches {string.Join(" or ", names.Select(n => $"'{n}'"))}" : " in this grid")}.");
        }
    }
}
