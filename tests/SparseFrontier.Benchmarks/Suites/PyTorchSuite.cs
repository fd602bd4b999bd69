using SparseFrontier.Attention;
using SparseFrontier.Benchmarks.Peers;
using SparseFrontier.Kernels;
using SparseFrontier.Kernels.Measurement;
using SparseFrontier.Models.Transformer;
using SparseFrontier.Tensors;

namespace SparseFrontier.Benchmarks.Suites;

/// <summary>
/// Against PyTorch and Transformers on the same processor with as many threads: linear layers, attention, and a whole model's prefill and decode.
/// </summary>
internal static unsafe class PyTorchSuite
{
    private const string Peer = "PyTorch";

    public static void Run(BenchmarkReport report)
    {
        using PyTorch? torch = PyTorch.TryStart(report);
        if (torch is null)
        {
            return;
        }

        foreach ((int rows, int outputs, int inputs) in new[] { (2048, 1024, 4096), (512, 576, 1536), (64, 1024, 4096), (1, 4096, 4096) })
        {
            MeasureLinear(report, torch, rows, outputs, inputs);
        }

        foreach ((int length, int dimension) in new[] { (4096, 64), (4096, 128), (16384, 64), (16384, 128) })
        {
            MeasureAttention(report, torch, length, dimension);
        }

        string path = Path.Combine(RepositoryFolder.Path, "models", "frontier-7m");
        using var model = TransformerModel.Load(path);
        foreach (int length in new[] { 1024, 4096, 8000 })
        {
            int[] tokens = [.. Enumerable.Range(0, length).Select(i => i % (model.Configuration.VocabularySize - 8))];
            report.Measure(
                $"Prefill of {length} tokens, frontier-7m",
                new InterleavedTimer(),
                [
                    new Contender("SparseFrontier BF16", () => model.Prefill(tokens, new PrefillRequest()).Dispose()),
                    torch.Prefill(Peer + " F32", path, length, DataType.F32),
                    torch.Prefill(Peer + " BF16", path, length, DataType.BF16),
                ],
                Peer + " F32");
        }

        foreach (int batch in new[] { 1, 8 })
        {
            MeasureDecode(report, torch, model, path, 4096, batch);
        }
    }

    private static void MeasureLinear(BenchmarkReport report, PyTorch torch, int rows, int outputs, int inputs)
    {
        KernelSet kernels = KernelSets.Default;
        using var input = RandomMatrix.Singles((long)rows * inputs);
        using var single = RandomMatrix.Singles((long)outputs * inputs);
        using var brain = RandomMatrix.BFloat16s((long)outputs * inputs);
        using var output = new NativeArray<float>((long)rows * outputs);
        using var singles = new WeightMatrix(single.Pointer, DataType.F32, outputs, inputs);
        using var brains = new WeightMatrix(brain.Pointer, DataType.BF16, outputs, inputs);
        report.Measure(
            $"Linear layer, {rows} rows, {outputs} outputs, {inputs} inputs",
            new InterleavedTimer(),
            [
                MachineRoofs.MultiplyAdd("multiply-add peak"),
                Ours("SparseFrontier F32", singles),
                Ours("SparseFrontier, BF16 weights", brains),
                torch.Linear(Peer + " F32", rows, outputs, inputs, DataType.F32),
                torch.Linear(Peer + " BF16", rows, outputs, inputs, DataType.BF16),
            ],
            Peer + " F32",
            "multiply-add peak");

        Contender Ours(string name, WeightMatrix weight) =>
            new(name, () => kernels.MatMul(input.Pointer, rows, weight, null, output.Pointer, CancellationToken.None)) { Operations = 2.0 * rows * outputs * inputs };
    }

    private static void MeasureAttention(BenchmarkReport report, PyTorch torch, int length, int dimension)
    {
        const int QueryHeads = 8;
        const int KvHeads = 2;
        KernelSet kernels = KernelSets.Default;
        using var q = RandomMatrix.Singles((long)QueryHeads * length * dimension);
        using var k = RandomMatrix.Singles((long)KvHeads * length * dimension);
        using var v = RandomMatrix.Singles((long)KvHeads * length * dimension);
        using var o = new NativeArray<float>((long)QueryHeads * length * dimension);
        HeadTensor queries = HeadTensor.HeadMajor(q.Pointer, QueryHeads, length, dimension);
        HeadTensor keys = HeadTensor.HeadMajor(k.Pointer, KvHeads, length, dimension);
        HeadTensor values = HeadTensor.HeadMajor(v.Pointer, KvHeads, length, dimension);
        HeadTensor output = HeadTensor.HeadMajor(o.Pointer, QueryHeads, length, dimension);
        AttentionPlan[] plans = [AttentionPlan.Dense(length)];
        float scale = 1 / MathF.Sqrt(dimension);
        report.Measure(
            $"Dense causal attention, {length} tokens, {QueryHeads} query heads, {KvHeads} KV heads, dimension {dimension}",
            new InterleavedTimer { Rounds = length > 8192 ? 5 : 9 },
            [
                MachineRoofs.MultiplyAdd("multiply-add peak"),
                new Contender("SparseFrontier", () => kernels.PrefillAttention(queries, keys, values, scale, plans, 0, output, null, CancellationToken.None))
                {
                    Operations = 2.0 * QueryHeads * length * length * dimension,
                },
                torch.Attention(Peer, QueryHeads, KvHeads, length, dimension),
            ],
            Peer,
            "multiply-add peak");
    }

    private static void MeasureDecode(BenchmarkReport report, PyTorch torch, TransformerModel model, string path, int length, int batch)
    {
        int[] tokens = [.. Enumerable.Range(0, length).Select(i => i % (model.Configuration.VocabularySize - 8))];
        DecodeMethod dense = MethodRegistry.FindDecode("Dense");
        using PromptState prompt = model.Prefill(tokens, new PrefillRequest { DecodeConfigurations = [new DecodeConfiguration(dense, dense.CreateParameters())], MaximumOutputTokens = 4 });
        DecodeSequence[] sequences = [.. Enumerable.Range(0, batch).Select(_ => prompt.StartSequence(0))];
        StepRow[] rows = [.. sequences.Select(s => new StepRow(s, 5))];
        float[] logits = new float[batch * model.Configuration.VocabularySize];
        report.Measure(
            $"One decoding step of {batch} sequences after {length} tokens, frontier-7m",
            new InterleavedTimer(),
            [
                new Contender("SparseFrontier BF16", () =>
                {
                    model.Step(rows, logits);
                    foreach (DecodeSequence sequence in sequences)
                    {
                        sequence.Truncate(0);
                    }
                }),
                torch.Decode(Peer + " F32", path, length, batch, DataType.F32),
                torch.Decode(Peer + " BF16", path, length, batch, DataType.BF16),
            ],
            Peer + " F32");
        foreach (DecodeSequence sequence in sequences)
        {
            sequence.Dispose();
        }
    }
}
