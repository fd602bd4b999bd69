using SparseFrontier.Benchmarks.Peers;
using SparseFrontier.Kernels;
using SparseFrontier.Kernels.Measurement;
using SparseFrontier.Tensors;

namespace SparseFrontier.Benchmarks.Suites;

/// <summary>output[rows, outputs] = input[rows, inputs] · Wᵀ for many rows.</summary>
internal static unsafe class MatMulSuite
{
    public static void Run(BenchmarkReport report)
    {
        bool openBlas = OpenBlas.TryLoad(report);
        using OnnxRuntime? onnx = OnnxRuntime.TryStart(report);
        foreach ((int rows, int outputs, int inputs) in new[] { (2048, 1024, 4096), (512, 576, 1536), (64, 1024, 4096) })
        {
            Measure(report, openBlas, onnx, rows, outputs, inputs);
        }
    }

    private static void Measure(BenchmarkReport report, bool openBlas, OnnxRuntime? onnx, int rows, int outputs, int inputs)
    {
        KernelSet kernels = KernelSets.Default;
        using var input = RandomMatrix.Singles((long)rows * inputs);
        using var single = RandomMatrix.Singles((long)outputs * inputs);
        using var brain = RandomMatrix.BFloat16s((long)outputs * inputs);
        using var output = new NativeArray<float>((long)rows * outputs);
        var contenders = new List<Contender> { MachineRoofs.MultiplyAdd("multiply-add peak"), Ours("SparseFrontier F32", single.Pointer, DataType.F32), Ours("SparseFrontier BF16", brain.Pointer, DataType.BF16) };
        if (openBlas)
        {
            contenders.Add(OpenBlas.MatMul("OpenBLAS", input.Pointer, rows, () => (nint)single.Pointer, outputs, inputs, output.Pointer));
        }

        if (onnx is not null)
        {
            contenders.Add(onnx.MatMul("ONNX Runtime", rows, outputs, inputs));
        }

        report.Measure($"{rows} rows, {outputs} outputs, {inputs} inputs", new InterleavedTimer(), contenders, openBlas ? "OpenBLAS" : "SparseFrontier F32", "multiply-add peak");

        Contender Ours(string name, void* data, DataType type)
        {
            var weight = new WeightMatrix(data, type, outputs, inputs);
            return new Contender(name, () => kernels.MatMul(input.Pointer, rows, weight, null, output.Pointer, CancellationToken.None)) { Operations = 2.0 * rows * outputs * inputs };
        }
    }
}
