using SparseFrontier.Attention;
using SparseFrontier.Kernels.Measurement;

namespace SparseFrontier.Benchmarks.Suites;

/// <summary>What choosing costs: each method's selection for one layer, against the layer's dense attention (ratio: how often it would fit into that time).</summary>
internal static class IndexSuite
{
    private const int Length = 16384;

    public static void Run(BenchmarkReport report)
    {
        foreach (int dimension in new[] { 64, 128 })
        {
            using var inputs = new AttentionInputs(Length, dimension);
            PromptLayer layer = inputs.Layer;
            var contenders = new List<Contender> { inputs.Dense("dense attention") };
            foreach (int window in new[] { 256, 512 })
            {
                Add($"VerticalSlash, window {window}", "VerticalSlash", $"VerticalSize=1024;SlashSize=1024;Window={window}");
                Add($"FlexPrefill, window {window}", "FlexPrefill", $"Window={window}");
                AddEviction($"SnapKV, window {window}", "SnapKV", $"Window={window}");
                AddEviction($"AdaSnapKV, window {window}", "AdaSnapKV", $"Window={window}");
            }

            foreach (int blockSize in new[] { 16, 32, 64, 128 })
            {
                Add($"BlockSparse, blocks of {blockSize}", "BlockSparse", $"BlockSize={blockSize};TopBlocks={1600 / blockSize}");
            }

            report.Measure($"{Length} tokens, dimension {dimension}", new InterleavedTimer { Rounds = 5 }, contenders, "dense attention");

            void Add(string name, string method, string parameters)
            {
                PrefillMethod prefill = MethodRegistry.FindPrefill(method);
                contenders.Add(new Contender(name, () => prefill.Select(layer, prefill.CreateParameters(parameters))));
            }

            // A copy of the layer each time: what an observation window yields is kept with the layer.
            void AddEviction(string name, string method, string parameters)
            {
                DecodeMethod eviction = MethodRegistry.FindDecode(method);
                contenders.Add(new Contender(name, () => eviction.Compress(layer with { }, eviction.CreateParameters(parameters))));
            }
        }
    }
}
