using System.CommandLine;
using SparseFrontier.Cli.Output;
using SparseFrontier.Experiments.Operations;

namespace SparseFrontier.Cli.Verbs;

/// <summary><c>sparsefrontier kernels measure</c>.</summary>
internal static class KernelsMeasureVerb
{
    public static Command Create()
    {
        var defaults = new MeasureKernelOperation();
        Argument<string[]> methods = Options.Names("METHOD", "Methods; * for all but controls.");
        Option<int[]> length = Options.Integers("--length", "Lengths of the prompt, in tokens; without it 1024 to 16384.", "N");
        Option<double[]> sparsity = Options.Numbers("--sparsity", "Sparsities, 0 to 1; without it 0.9.", "s,...");
        Option<int> queryHeads = Number("--query-heads", "Query heads of the layer.", defaults.QueryHeadCount);
        Option<int> kvHeads = Number("--kv-heads", "KV heads of the layer.", defaults.KvHeadCount);
        Option<int> dimension = Number("--head-dimension", "Elements of a head's vector.", defaults.HeadDimension);
        Option<int> iterations = Number("--iterations", "Samples of each time; the median counts.", defaults.IterationCount);
        Option<string> device = Options.Text("--device", "Device to measure: cpu or cuda:0.", "D", "cpu");
        var seed = new Option<long>("--seed") { Description = "Seed of the random inputs.", HelpName = "n", DefaultValueFactory = _ => defaults.Seed };
        return new Command("measure", "Times methods on one attention layer beside dense attention, and tells from which length on each pays.")
        {
            methods, length, sparsity, queryHeads, kvHeads, dimension, iterations, device, seed,
        }.Does((parsed, sink, token) =>
        {
            new MeasureKernelOperation
            {
                Method = parsed.GetValue(methods)!,
                SequenceLength = parsed.GetValue(length) is { Length: > 0 } lengths ? lengths : defaults.SequenceLength,
                Sparsity = parsed.GetValue(sparsity) is { Length: > 0 } sparsities ? sparsities : defaults.Sparsity,
                QueryHeadCount = parsed.GetValue(queryHeads),
                KvHeadCount = parsed.GetValue(kvHeads),
                HeadDimension = parsed.GetValue(dimension),
                IterationCount = parsed.GetValue(iterations),
                Device = parsed.GetValue(device)!,
                Seed = parsed.GetValue(seed),
            }.Execute(sink, token);
            sink.WriteTable<KernelMeasurement>(Tables.KernelMeasurements);
        });
    }

    private static Option<int> Number(string name, string description, int value) =>
        new(name) { Description = description, HelpName = "n", DefaultValueFactory = _ => value };
}
