using System.CommandLine;
using SparseFrontier.Cli.Output;
using SparseFrontier.Experiments.Operations;

namespace SparseFrontier.Cli.Verbs;

/// <summary><c>sparsefrontier trace</c>: writes queries, keys and values of a sample.</summary>
internal static class TraceVerb
{
    public static Command Create()
    {
        var sweep = new SweepOptions();
        var output = new Option<string>("--output") { Description = "Folder to write to, a file a run and layer.", HelpName = "DIR", Required = true };
        Option<int[]> sample = Options.Integers("--sample", "Samples, counted from 0; without it 0.", "i,...");
        Option<int[]> layer = Options.Integers("--layer", "Layers; without it all with global attention.", "i,...");
        Option<int[]> head = Options.Integers("--kv-head", "KV heads, with the query heads that read them; without it all.", "i,...");
        var force = new Option<bool>("--force") { Description = "Replace files that are there." };
        Option<string> results = Options.Text("--results", "Folder of results, whose calibrated budgets are used.", "DIR");
        var command = new Command("trace", "Writes queries, keys and values of a sample's layers as safetensors, to be replayed without the model (attend, pattern --trace).");
        sweep.AddTo(command);
        foreach (Option option in (Option[])[output, sample, layer, head, force, results])
        {
            command.Options.Add(option);
        }

        return command.Does((parsed, sink, token) =>
        {
            IReadOnlyList<RunSpecification> specifications = sweep.Specifications(parsed, sink, token, defaultMethod: "Dense");
            new ExportTraceOperation
            {
                Specifications = specifications,
                OutputPath = parsed.GetRequiredValue(output),
                SampleIndex = parsed.GetValue(sample) is { Length: > 0 } samples ? samples : [0],
                Layer = parsed.GetValue(layer)!,
                KvHead = parsed.GetValue(head)!,
                Force = parsed.GetValue(force),
                ResultPath = parsed.GetValue(results)!,
            }.Execute(sink, token);
            sink.ClearProgress();
            sink.WriteTable<AttentionTraceFile>(Tables.Traces);
        });
    }
}
