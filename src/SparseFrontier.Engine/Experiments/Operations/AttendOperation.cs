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

    /// <summary>Path of the safetensors file to read.</summary>
    public string Input { get; init; } = "";

    /// <summary>Path of the safetensors file to write.</summary>
    public string Output { get; init; } = "";

    /// <summary>Factor on query · key; null: 1/√dimension.</summary>
    public double? Scale { get; init; }

    /// <summary>Seed, for methods that draw random numbers.</summary>
    public long Seed { get; init; } = 43;

    /// <summary>Device to compute on; a GPU stores F16 where q is F16, else BF16.</summary>
    public string Device { get; init; } = "cpu";

    /// <summary>The operations to compute with; null: those of the device.</summary>
    public KernelSet? Kernels { get; init; }

    /// <summary>Computes and writes.</summary>
    /// <exception cref="SparseFrontierException">MethodNotFound, MethodParameterInvalid, BudgetInfeasible, ParameterInvalid, FileNotFound or CheckpointInvalid; DeviceNotFound, CudaNotInstalled or DeviceUnsupported.</exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(sink);
        AttentionMethod method = FindMethod();
        MethodParameters parameters = method.CreateParameters(string.Join(';', Parameter));
        Devices.Require(Device);
        if (!File.Exists(Input))
        {
            throw new SparseFrontierException(ErrorIds.FileNotFound, $"There is no file '{Input}' to read q, k and v from.", Input);
        }

        using SafetensorsFile file = SafetensorsFile.Open(Input);
        using NativeArray<float> queries = Read(file, "q", out int queryHeads, out int length, out int dimension);
        using NativeArray<float> keys = Read(file, "k", out int kvHeads, out int keyLength, out int keyDimension);
        using NativeArray<float> values = Read(file, "v", out int valueHeads, out int valueLength, out int valueDimension);
        if (kvHeads != valueHeads || queryHeads % kvHeads != 0 || length != keyLength || length != valueLength
            || dimension != keyDimension || dimension != valueDimension)
        {
            throw new SparseFrontierException(
                ErrorIds.ParameterInvalid,
                $"'{Input}': q {file.Tensor("q").ShapeText}, k {file.Tensor("k").ShapeText} and v {file.Tensor("v").ShapeText} do not go together. "
                + "Needed are [query heads, length, dimension] and twice [KV heads, length, dimension], the query heads a multiple of the KV heads.",
                Input);
        }

        var layer = new PromptLayer
        {
            Layer = 0,
            Queries = HeadTensor.HeadMajor(queries.Pointer, queryHeads, length, dimension),
            Keys = HeadTensor.HeadMajor(keys.Pointer, kvHeads, length, dimension),
            Values = HeadTensor.HeadMajor(values.Pointer, kvHeads, length, dimension),
            Scale = (float)(Scale ?? (1 / Math.Sqrt(dimension))),
            Kernels = Kernels ?? Devices.Kernels(Device, file.Tensor("q").DataType == DataType.F16 ? DataType.F16 : DataType.BF16),
            Seed = Seed,
            CancellationToken = cancellationToken,
        };
        AttendResult result = Attend.Run(method, layer, parameters);
        if (!sink.ShouldProcess(Output, "write attention output"))
        {
            return;
        }

        Write(result);
        sink.Object(new AttendSummary(method.Name, parameters.ToString(), length, result.Sparsity, result.NominalSparsity.Count > 0 ? result.NominalSparsity.Average() : null, Output));
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

    private NativeArray<float> Read(SafetensorsFile file, string name, out int heads, out int rows, out int dimension)
    {
        SafetensorsTensor tensor = file.Tensor(name);
        if (tensor.Shape.Count != 3 || tensor.Shape.Any(extent => extent is < 1 or > int.MaxValue))
        {
            throw new SparseFrontierException(
                ErrorIds.ParameterInvalid,
                $"'{Input}': {name} is {tensor.ShapeText}, but [heads, length, dimension] is needed, none of them 0.",
                Input);
        }

        (heads, rows, dimension) = ((int)tensor.Shape[0], (int)tensor.Shape[1], (int)tensor.Shape[2]);
        var data = new NativeArray<float>(tensor.Count);
        tensor.CopyTo(data.Span);
        return data;
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

/// <summary>What <see cref="AttendOperation"/> did.</summary>
/// <param name="Method">Method.</param>
/// <param name="Parameters">"Name=value;Name=value".</param>
/// <param name="Length">Prompt tokens.</param>
/// <param name="Sparsity">Share of pairs or cached tokens that was left out, element-exact.</param>
/// <param name="NominalSparsity">The paper's own figure, mean over query heads; null for controls.</param>
/// <param name="Output">Path of the file written.</param>
public sealed record AttendSummary(string Method, string Parameters, int Length, double Sparsity, double? NominalSparsity, string Output);
