using System.CommandLine;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Reporting.Terminal;

namespace SparseFrontier.Cli.Verbs;

/// <summary><c>sparsefrontier mask</c>: heat maps of what methods keep.</summary>
internal static class MaskVerb
{
    public static Command Create()
    {
        var sweep = new SweepOptions();
        Option<string[]> trace = Options.Texts("--trace", "Traces to show instead of a model's samples.", "FILE");
        Option<int[]> sample = Options.Integers("--sample", "Samples, counted from 0; without it 0.", "i,...");
        Option<int[]> layer = Options.Integers("--layer", "Layers; without it 0.", "i,...");
        Option<int[]> head = Options.Integers("--head", "Query heads; without it 0.", "i,...");
        var attention = new Option<bool>("--attention") { Description = "Draw dense attention before each mask." };
        Option<string> output = Options.Text("--output", "HTML file to write instead of drawing.", "FILE");
        var force = new Option<bool>("--force") { Description = "Replace a file that is there." };
        var height = new Option<int?>("--height") { Description = "Lines of a map at most.", HelpName = "n" };
        Option<string> results = Options.Text("--results", "Folder of results, whose calibrated budgets are used.", "DIR");
        var command = new Command("mask", "Draws what methods keep of a head's attention as heat maps, in characters or as a page.");
        sweep.AddTo(command);
        foreach (Option option in (Option[])[trace, sample, layer, head, attention, output, force, height, results])
        {
            command.Options.Add(option);
        }

        return command.Does((parsed, sink, token) =>
        {
            IReadOnlyList<RunSpecification> specifications = sweep.Specifications(parsed, sink, token);
            new ShowMaskOperation
            {
                Measurement = new MeasurePatternOperation
                {
                    Specifications = specifications,
                    TracePath = parsed.GetValue(trace)!,
                    SampleIndex = parsed.GetValue(sample) is { Length: > 0 } samples ? samples : [0],
                    Layer = parsed.GetValue(layer) is { Length: > 0 } layers ? layers : [0],
                    Head = parsed.GetValue(head) is { Length: > 0 } heads ? heads : [0],
                    AsMask = true,
                    ResultPath = parsed.GetValue(results)!,
                },
                Terminal = TerminalCapabilities.Detect(Console.IsOutputRedirected ? null : Console.WindowWidth, Console.IsOutputRedirected),
                Height = parsed.GetValue(height),
                ShowAttention = parsed.GetValue(attention),
                OutputPath = parsed.GetValue(output)!,
                Force = parsed.GetValue(force),
            }.Execute(sink, token);
            sink.ClearProgress();
            foreach (string line in sink.Objects.OfType<string>())
            {
                sink.Output.WriteLine(line);
            }
        });
    }
}
