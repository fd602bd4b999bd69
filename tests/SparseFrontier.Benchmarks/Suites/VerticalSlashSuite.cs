using SparseFrontier.Attention;
using SparseFrontier.Kernels;
using SparseFrontier.Kernels.Measurement;

namespace SparseFrontier.Benchmarks.Suites;

/// <summary>
/// Attention over verticals and scattered slashes, as the method chooses them from random queries and keys. Operations are those of the tiles
/// that are executed, of dense attention too: the share of the dense kernel's rate is the share of the ideal for the tiles.
/// </summary>
internal static class VerticalSlashSuite
{
    public static void Run(BenchmarkReport report)
    {
        PrefillMethod method = MethodRegistry.FindPrefill("VerticalSlash");
        foreach ((int length, int dimension, int rounds) in new[] { (8192, 64, 7), (16384, 128, 3) })
        {
            using var inputs = new AttentionInputs(length, dimension);
            PromptLayer layer = inputs.Layer;
            var contenders = new List<Contender>
            {
                inputs.Attend("dense", [AttentionPlan.Dense(length)], AttentionInputs.QueryHeads * layer.Kernels.CountExecutedPairs(AttentionPlan.Dense(length), 0)),
            };
            foreach ((int verticals, int slashes) in new[] { (256, 70), (512, 80), (1024, 96), (2048, 128) })
            {
                PrefillSelection selection = method.Select(layer, method.CreateParameters($"VerticalSize={verticals};SlashSize={slashes}"));
                double density = (double)selection.CountPairs(AttentionInputs.QueryHeads) / (AttentionInputs.QueryHeads * layer.Shape.CausalPairs);
                contenders.Add(inputs.Attend(
                    FormattableString.Invariant($"{verticals} verticals, 64 local and {slashes - 64} scattered slashes: density {density:0.000}"),
                    selection.Plans,
                    selection.Plans.Sum(p => layer.Kernels.CountExecutedPairs(p, 0))));
            }

            report.Measure($"{length} tokens, dimension {dimension}", new InterleavedTimer { Rounds = rounds }, contenders, "dense", "dense");
        }
    }
}
