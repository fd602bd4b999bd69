using SparseFrontier.Attention;
using SparseFrontier.Benchmarks.Peers;
using SparseFrontier.Kernels;
using SparseFrontier.Kernels.Measurement;
using SparseFrontier.Tensors;

namespace SparseFrontier.Benchmarks.Suites;

/// <summary>Attention of a prompt and linear layers against LibTorch in this process.</summary>
internal static unsafe class LibTorchSuite
{
    private const string Peer = "LibTorch";

    public static void Run(BenchmarkReport report)
    {
        if (!LibTorch.TryLoad(report))
        {
            return;
        }

        foreach ((int length, int rounds) in new[] { (4096, 7), (8192, 5), (16384, 3) })
        {
            foreach (int dimension in new[] { 64, 128 })
            {
                MeasureAttention(report, length, dimension, rounds);
            }
        }

        foreach ((int rows, int outputs, int inputs) in new[] { (2048, 1024, 4096), (512, 576, 1536), (64, 1024, 4096), (1, 4096, 4096) })
        {
            MeasureLinear(report, rows, outputs, inputs);
        }
    }

    // The peer's keys and values are repeated for its query heads beforehand, which is not timed.
    private static void MeasureAttention(BenchmarkReport report, int length, int dimension, int rounds)
    {
        using var inputs = new AttentionInputs(length, dimension);
        PromptLayer layer = inputs.Layer;
        using NativeArray<float> queries = ByHead(layer.Queries, 1);
        using NativeArray<float> keys = ByHead(layer.Keys, layer.GroupSize);
        using NativeArray<float> values = ByHead(layer.Values, layer.GroupSize);
        using var output = new NativeArray<float>(queries.Length);
        Contender ours = inputs.Dense("SparseFrontier");
        Contender theirs = LibTorch.Attention(Peer, queries.Pointer, keys.Pointer, values.Pointer, output.Pointer, AttentionInputs.QueryHeads, length, dimension);
        ours.Sample(1);
        using NativeArray<float> result = ByHead(inputs.Output, 1);
        double largest = 0;
        for (long i = 0; i < result.Length; i++)
        {
            largest = Math.Max(largest, Math.Abs(result.Pointer[i] - output.Pointer[i]));
        }

        if (largest > 1e-4)
        {
            throw new InvalidOperationException(FormattableString.Invariant($"The outputs differ by {largest:E1}: this is not the same work."));
        }

        report.Measure(
            $"{length} tokens, {AttentionInputs.QueryHeads} query and {AttentionInputs.KvHeads} KV heads, dimension {dimension}",
            new InterleavedTimer { Rounds = rounds },
            [MachineRoofs.MultiplyAdd("multiply-add peak"), ours, theirs],
            Peer,
            "multiply-add peak");
    }

    private static void MeasureLinear(BenchmarkReport report, int rows, int outputs, int inputs)
    {
        KernelSet kernels = KernelSets.Default;
        using NativeArray<float> input = RandomMatrix.Singles((long)rows * inputs);
        using NativeArray<ushort> halfInput = RandomMatrix.BFloat16s((long)rows * inputs);
        using NativeArray<float> single = RandomMatrix.Singles((long)outputs * inputs);
        using NativeArray<ushort> half = RandomMatrix.BFloat16s((long)outputs * inputs);
        using var output = new NativeArray<float>((long)rows * outputs);
        using var singles = new WeightMatrix(single.Pointer, DataType.F32, outputs, inputs);
        using var halves = new WeightMatrix(half.Pointer, DataType.BF16, outputs, inputs);
        report.Measure(
            $"Linear layer, {rows} rows, {outputs} outputs, {inputs} inputs",
            new InterleavedTimer(),
            [
                MachineRoofs.MultiplyAdd("multiply-add peak"),
                Ours("SparseFrontier F32", singles),
                Ours("SparseFrontier, BF16 weights", halves),
                LibTorch.Linear(Peer + " F32", input.Pointer, single.Pointer, output.Pointer, DataType.F32, rows, outputs, inputs),
                LibTorch.Linear(Peer + " BF16", halfInput.Pointer, half.Pointer, output.Pointer, DataType.BF16, rows, outputs, inputs),
            ],
            Peer + " F32",
            "multiply-add peak");

        Contender Ours(string name, WeightMatrix weight) =>
            new(name, () => kernels.MatMul(input.Pointer, rows, weight, null, output.Pointer, CancellationToken.None)) { Operations = 2.0 * rows * outputs * inputs };
    }

    // [heads, rows, dimension], each head as often as it is asked for.
    private static NativeArray<float> ByHead(HeadTensor source, int repeats)
    {
        int heads = source.Heads * repeats;
        var copy = new NativeArray<float>((long)heads * source.Rows * source.Dimension);
        for (int head = 0; head < heads; head++)
        {
            for (int row = 0; row < source.Rows; row++)
            {
                source.RowSpan(head / repeats, row).CopyTo(copy.Slice((((long)head * source.Rows) + row) * source.Dimension, source.Dimension));
            }
        }

        return copy;
    }
}
