using System.CommandLine;
using SparseFrontier.Cli.Output;
using SparseFrontier.Experiments.Operations;

namespace SparseFrontier.Cli.Verbs;

/// <summary><c>sparsefrontier pattern</c>: what methods keep of dense attention, by layer and head.</summary>
internal static class PatternVerb
{
    public static Command Create()
    {
        var sweep = new SweepOptions();
        Option<string[]> trace = Options.Texts("--trace", "Traces to measure instead of a model's samples.", "FILE");
        Option<int[]> sample = Options.Integers("--sample", "Samples, counted from 0; without it 0.", "i,...");
        Option<int[]> layer = Options.Integers("--layer", "Layers; without it all with global attention.", "i,...");
        Option<int[]> head = Options.Integers("--head", "Query heads; without it all.", "i,...");
        var queries = new Option<int>("--queries") { Description = "Queries measured in each phase at most, spread evenly.", HelpName = "n", DefaultValueFactory = _ => 64 };
        Option<string> results = Options.Text("--results", "Folder of results, whose calibrated budgets are used.", "DIR");
        var command = new Command("pattern", "Measures what methods keep of dense attention in single samples, by layer and query head.");
        sweep.AddTo(command);
        foreach (Option option in (Option[])[trace, sample, layer, head, queries, results])
        {
            command.Options.Add(option);
        }

        return command.Does((parsed, sink, token) =>
        {
            new MeasurePatternOperation
            {
                Specifications = sweep.Specifications(parsed, sink, token),
                TracePath = parsed.GetValue(trace)!,
                SampleIndex = parsed.GetValue(sample) is { Length: > 0 } samples ? samples : [0],
                Layer = parsed.GetValue(layer)!,
                Head = parsed.GetValue(head)!,
                QueryCount = parsed.GetValue(queries),
                ResultPath = parsed.GetValue(results)!,
            }.Execute(sink, token);
            sink.ClearProgress();
            sink.WriteTable<AttentionPattern>(Tables.Patterns);
        });
    }
}
