using SparseFrontier.Attention;

namespace SparseFrontier.Experiments.Operations;

/// <summary>Runs <see cref="AttendOperation"/> for every file, method and sparsity, and emits an <see cref="AttendSummary"/> each.</summary>
public sealed class ReplayTraceOperation
{
    /// <summary>Methods; wildcards match all but controls; "Name;Parameter=value" sets parameters.</summary>
    public required IReadOnlyList<string> Method { get; init; }

    /// <summary>"Prefill" or "Decode" for names that both have; null: prefill.</summary>
    public string? Phase { get; init; }

    /// <summary>Sparsities; empty: the budget that the parameters set.</summary>
    public IReadOnlyList<double> Sparsity { get; init; } = [];

    /// <summary>"Name=value;Name=value", each for the methods that have such a parameter.</summary>
    public string Parameter { get; init; } = "";

    /// <summary>Files to read.</summary>
    public required IReadOnlyList<string> Path { get; init; }

    /// <summary>Folder to write to; empty: nothing is written.</summary>
    public string OutputPath { get; init; } = "";

    /// <summary>Factor on query · key; null: the file's, else 1/√dimension.</summary>
    public double? Scale { get; init; }

    /// <summary>Device to compute on.</summary>
    public string Device { get; init; } = "cpu";

    /// <summary>Computes. What is wrong with one file or method is an error on the sink.</summary>
    /// <exception cref="SparseFrontierException">MethodNotFound, MethodParameterInvalid; DeviceNotFound, CudaNotInstalled or DeviceUnsupported.</exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(sink);
        List<(AttentionMethod Method, string Parameters)> methods = [.. SweepBuilder.FindMethods(Method, decodeOnly: string.Equals(Phase, nameof(AttentionPhase.Decode), StringComparison.OrdinalIgnoreCase))
            .Select(m => (m.Method, SweepBuilder.ParametersOf(m.Method, m.Parameters, ParameterText.Parse(Parameter))))];
        Devices.Require(Device);
        bool made = false;
        foreach (string path in Path)
        {
            foreach ((AttentionMethod method, string parameters) in methods)
            {
                foreach (double? sparsity in method.BudgetParameter is null || Sparsity.Count == 0 ? [null] : Sparsity.Select(s => (double?)s))
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    string output = OutputPath.Length > 0 ? System.IO.Path.Combine(OutputPath, OutputName(path, method, sparsity)) : "";
                    try
                    {
                        new AttendOperation
                        {
                            Method = method.Name,
                            Phase = method.Phase.ToString(),
                            Parameter = parameters.Length > 0 ? [parameters] : [],
                            Sparsity = sparsity,
                            Input = path,
                            Output = output,
                            Scale = Scale,
                            Device = Device,
                            Prepare = Prepare,
                        }.Execute(sink, cancellationToken);
                    }
                    catch (SparseFrontierException e)
                    {
                        sink.Error(e);
                    }
                }
            }
        }

        void Prepare()
        {
            if (!made)
            {
                StoreIO.Write(OutputPath, () => Directory.CreateDirectory(OutputPath));
                made = true;
            }
        }
    }

    // "dense-niah-2048-sample0-layer03-quest-0.9.safetensors"
    private static string OutputName(string path, AttentionMethod method, double? sparsity) => FormattableString.Invariant(
        $"{System.IO.Path.GetFileNameWithoutExtension(path)}-{method.Name.ToLowerInvariant()}{(sparsity is double s ? FormattableString.Invariant($"-{s}") : "")}.safetensors");
}
