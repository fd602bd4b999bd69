using System.Globalization;
using SparseFrontier.Attention;
using SparseFrontier.Kernels;
using SparseFrontier.Models.Safetensors;
using SparseFrontier.Tensors;

namespace SparseFrontier.Experiments.Operations;

/// <summary>
/// Runs one method on queries, keys and values from a file and writes its output and selection: <c>q</c> [query heads, length, dimension],
/// <c>k</c> and <c>v</c> [KV heads, length, dimension] in (F32, F16 or BF16); <c>out</c>, the selection's tensors, <c>sparsity</c> and, where
/// the paper defines it, <c>nominal_sparsity</c> ([query heads] or [1]) out.
/// Emits an <see cref="AttendSummary"/>.
/// </summary>
public sealed unsafe class AttendOperation
{
    /// <summary>Method; a name that both phases have means the prefill method unless <see cref="Phase"/> says otherwise.</summary>
    public string Method { get; init; } = "";

    /// <summary>"Prefill", "Decode" or null for whichever has the method.</summary>
    public string? Phase { get; init; }

    /// <summary>"Name=value", each overriding a default.</summary>
    public IReadOnlyList<string> Parameter { get; init; } = [];

    /// <summary>Sparsity that the method's budget is solved for on the file's layer; null: the budget that the parameters set.</summary>
    public double? Sparsity { get; init; }

    /// <summary>Path of the safetensors file to read.</summary>
    public string Input { get; init; } = "";

    /// <summary>Path of the safetensors file to write; empty: none.</summary>
    public string Output { get; init; } = "";

    /// <summary>Factor on query · key; null: the file's, where it was exported from a run, else 1/√dimension.</summary>
    public double? Scale { get; init; }

    /// <summary>Seed, for methods that draw random numbers; null: the sample's, where the file was exported from a run, else 43.</summary>
    public long? Seed { get; init; }

    /// <summary>Device to compute on; a GPU stores F16 where q is F16, else BF16.</summary>
    public string Device { get; init; } = "cpu";

    /// <summary>The operations to compute with; null: those of the device.</summary>
    public KernelSet? Kernels { get; init; }

    /// <summary>Called before the file is written.</summary>
    internal Action? Prepare { get; init; }

    /// <summary>Computes and writes.</summary>
    /// <exception cref="SparseFrontierException">MethodNotFound, MethodParameterInvalid, BudgetInfeasible, ParameterInvalid, FileNotFound or CheckpointInvalid; DeviceNotFound, CudaNotInstalled or DeviceUnsupported.</exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(sink);
        AttentionMethod method = FindMethod();
        MethodParameters parameters = method.CreateParameters(string.Join(';', Parameter));
        Devices.Require(Device);
        using var trace = AttentionTrace.Open(Input);
        KernelSet kernels = Kernels ?? Devices.Kernels(Device, trace.ElementType == DataType.F16 ? DataType.F16 : DataType.BF16);
        PromptLayer layer = InspectedSample.FirstRows(trace.Layer(kernels, Scale, Seed, cancellationToken), trace.Length);
        if (Output.Length > 0 && !sink.ShouldProcess(Output, $"Write what {method.Name} selects and computes on '{Input}'"))
        {
            return;
        }

        if (Sparsity is double sparsity)
        {
            AttentionMethod.RequireSparsity(sparsity);
            parameters = InspectedMethod.SolveOnLayer(method, parameters, sparsity, layer);
        }

        AttendResult result = Attend.Run(method, layer, parameters);
        if (Output.Length > 0)
        {
            Prepare?.Invoke();
            Write(result);
        }

        sink.Object(new AttendSummary
        {
            Method = method.Name,
            Parameters = parameters.ToString(),
            Length = trace.Length,
            Layer = layer.Layer,
            RequestedSparsity = Sparsity,
            Sparsity = result.Sparsity,
            NominalSparsity = result.NominalSparsity.Count > 0 ? result.NominalSparsity.Average() : null,
            Path = Input,
            Output = Output,
        });
    }

    private AttentionMethod FindMethod()
    {
        if (Phase is not null)
        {
            return Enum.TryParse(Phase, ignoreCase: true, out AttentionPhase phase) && Enum.IsDefined(phase)
                ? MethodRegistry.Find(Method, phase)
                : throw new SparseFrontierException(ErrorIds.ParameterInvalid, $"Phase '{Phase}' is neither Prefill nor Decode.", Phase);
        }

        return MethodRegistry.All.FirstOrDefault(m => m.Name.Equals(Method, StringComparison.OrdinalIgnoreCase))
            ?? throw new SparseFrontierException(
                ErrorIds.MethodNotFound,
                $"There is no method '{Method}'. {NameMatcher.Suggestion(Method, [.. MethodRegistry.All.Select(m => m.Name).Distinct()])}",
                Method);
    }

    private void Write(AttendResult result)
    {
        var writer = new SafetensorsWriter();
        writer.Add("out", [.. result.OutputShape.Select(e => (long)e)], result.Output);
        foreach (SelectionTensor tensor in result.Selection)
        {
            long[] shape = [.. tensor.Shape.Select(e => (long)e)];
            if (tensor.DataType == DataType.U8)
            {
                writer.Add(tensor.Name, shape, Array.ConvertAll(tensor.Values, v => (byte)v));
            }
            else
            {
                writer.Add(tensor.Name, shape, tensor.Values);
            }
        }

        writer.Add("sparsity", [1], [(float)result.Sparsity]);
        if (result.NominalSparsity.Count > 0)
        {
            writer.Add("nominal_sparsity", [result.NominalSparsity.Count], [.. result.NominalSparsity.Select(s => (float)s)]);
        }

        writer.AddMetadata("sparsity", result.Sparsity.ToString("R", CultureInfo.InvariantCulture));
        writer.Write(Output);
    }
}
