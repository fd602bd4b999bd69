using SparseFrontier.Benchmarks.Peers;
using SparseFrontier.Kernels.Measurement;

namespace SparseFrontier.Benchmarks.Suites;

/// <summary>Dense causal attention of a prompt. Operations are those of the causal pairs, so that work above the diagonal counts as waste.</summary>
internal static class AttentionSuite
{
    public static void Run(BenchmarkReport report)
    {
        using OnnxRuntime? onnx = OnnxRuntime.TryStart(report);
        foreach ((int length, int rounds) in new[] { (4096, 7), (8192, 5), (16384, 3) })
        {
            foreach (int dimension in new[] { 64, 128 })
            {
                Measure(report, onnx, length, dimension, rounds);
            }
        }
    }

    private static void Measure(BenchmarkReport report, OnnxRuntime? onnx, int length, int dimension, int rounds)
    {
        using var inputs = new AttentionInputs(length, dimension);
        var contenders = new List<Contender> { MachineRoofs.MultiplyAdd("multiply-add peak"), inputs.Dense("SparseFrontier") };
        if (onnx is not null)
        {
            contenders.Add(onnx.GroupQueryAttention("ONNX Runtime", AttentionInputs.QueryHeads, AttentionInputs.KvHeads, length, dimension));
        }

        report.Measure(
            $"{length} tokens, {AttentionInputs.QueryHeads} query and {AttentionInputs.KvHeads} KV heads, dimension {dimension}",
            new InterleavedTimer { Rounds = rounds },
            contenders,
            onnx is null ? "SparseFrontier" : "ONNX Runtime",
            "multiply-add peak");
    }
}
