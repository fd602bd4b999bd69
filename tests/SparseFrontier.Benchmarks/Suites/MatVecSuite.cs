using SparseFrontier.Benchmarks.Peers;
using SparseFrontier.Kernels;
using SparseFrontier.Kernels.Measurement;
using SparseFrontier.Tensors;

namespace SparseFrontier.Benchmarks.Suites;

/// <summary>The product of 1 to 30 rows with a weight matrix; several matrices in turn, so that none stays in a cache.</summary>
internal static unsafe class MatVecSuite
{
    private const int Outputs = 4096;
    private const int Inputs = 4096;
    private const int Matrices = 6;

    public static void Run(BenchmarkReport report)
    {
        bool openBlas = OpenBlas.TryLoad(report);
        foreach (int rows in new[] { 1, 7, 30 })
        {
            Measure(report, openBlas, rows);
        }
    }

    private static void Measure(BenchmarkReport report, bool openBlas, int rows)
    {
        KernelSet kernels = KernelSets.Default;
        using var input = RandomMatrix.Singles((long)rows * Inputs);
        using var single = RandomMatrix.Singles((long)Matrices * Outputs * Inputs);
        using var brain = RandomMatrix.BFloat16s((long)Matrices * Outputs * Inputs);
        using var output = new NativeArray<float>((long)rows * Outputs);
        WeightMatrix[] singles = Pack(single.Pointer, DataType.F32);
        WeightMatrix[] brains = Pack(brain.Pointer, DataType.BF16);
        int turn = 0;
        var contenders = new List<Contender>
        {
            MachineRoofs.Read("read F32", () => Next(single.Pointer, 4), 4L * Outputs * Inputs),
            Ours("SparseFrontier F32", singles),
            Ours("SparseFrontier, BF16 weights", brains),
        };
        if (openBlas)
        {
            contenders.Add(rows == 1
                ? OpenBlas.MatVec("OpenBLAS", input.Pointer, () => Next(single.Pointer, 4), Outputs, Inputs, output.Pointer)
                : OpenBlas.MatMul("OpenBLAS", input.Pointer, rows, () => Next(single.Pointer, 4), Outputs, Inputs, output.Pointer));
        }

        report.Measure($"{rows} rows, {Outputs} outputs, {Inputs} inputs, {Matrices} matrices in turn", new InterleavedTimer(), contenders, openBlas ? "OpenBLAS" : "SparseFrontier F32", "read F32");
        foreach (WeightMatrix weight in singles.Concat(brains))
        {
            weight.Dispose();
        }

        nint Next(void* first, int size)
        {
            turn = (turn + 1) % Matrices;
            return (nint)first + (nint)((long)turn * Outputs * Inputs * size);
        }

        Contender Ours(string name, WeightMatrix[] weights) =>
            new(
                name,
                () =>
                {
                    turn = (turn + 1) % Matrices;
                    kernels.MatMul(input.Pointer, rows, weights[turn], null, output.Pointer, CancellationToken.None);
                })
            {
                Operations = 2.0 * rows * Outputs * Inputs,
                Bytes = (double)weights[0].DataType.SizeInBytes() * Outputs * Inputs,
            };
    }

    private static WeightMatrix[] Pack(void* data, DataType type) =>
        [.. Enumerable.Range(0, Matrices).Select(i => new WeightMatrix((byte*)data + ((long)i * Outputs * Inputs * type.SizeInBytes()), type, Outputs, Inputs))];
}
