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
        using var singles = new WeightMatrix(single.Pointer, DataType.F32, outputs, inputs);
        using var brains = new WeightMatrix(brain.Pointer, DataType.BF16, outputs, inputs);
        var contenders = new List<Contender> { MachineRoofs.MultiplyAdd("multiply-add peak"), Ours("SparseFrontier F32", singles), Ours("SparseFrontier, BF16 weights", brains) };
        if (openBlas)
        {
            contenders.Add(OpenBlas.MatMul("OpenBLAS", input.Pointer, rows, () => (nint)single.Pointer, outputs, inputs, output.Pointer));
        }

        if (onnx is not null)
        {
            contenders.Add(onnx.MatMul("ONNX Runtime", rows, outputs, inputs));
        }

        report.Measure($"{rows} rows, {outputs} outputs, {inputs} inputs", new InterleavedTimer(), contenders, openBlas ? "OpenBLAS" : "SparseFrontier F32", "multiply-add peak");

        Contender Ours(string name, WeightMatrix weight) =>
            new(name, () => kernels.MatMul(input.Pointer, rows, weight, null, output.Pointer, CancellationToken.None)) { Operations = 2.0 * rows * outputs * inputs };
    }
}
