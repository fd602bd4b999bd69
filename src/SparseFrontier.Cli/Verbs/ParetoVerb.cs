using System.CommandLine;
using SparseFrontier.Cli.Output;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Reporting.Terminal;

namespace SparseFrontier.Cli.Verbs;

/// <summary><c>sparsefrontier pareto</c>: which runs no other run beats in both cost and value.</summary>
internal static class ParetoVerb
{
    /// <summary>Runs are compared with one another within a model, task and length.</summary>
    public static IReadOnlyList<string> Groups { get; } = ["Model", "Task", "SequenceLength"];

    public static Command Create()
    {
        Argument<string[]> results = ResultFilters.Paths();
        Option<string> cost = Options.Text(
            "--cost",
            "Cost, of which less is better: PrefillFlops, DecodeBytes or MemoryReads, computed from the model's sizes; Density; or a column such as PrefillSeconds; of DecodeSeconds, ElapsedSeconds and Joules only rows that stepped alone. Without it by phase.",
            "COLUMN");
        Option<string> value = Options.Text("--value", "Column of value; more is better.", "COLUMN", "Score");
        Option<string[]> groupBy = Options.Texts("--group-by", "Columns that divide the rows into groups; without it Model, Task and SequenceLength.", "COLUMN,...");
        Option<string> aggregate = Options.Text("--aggregate", "Puts the tasks of a configuration together: Mean or Worst.", "HOW", nameof(TaskAggregate.None));
        Option<int> batch = new("--batch") { Description = "Sequences that share the reading of weights, in computed costs of decode.", HelpName = "n", DefaultValueFactory = _ => 1 };
        Option<int> output = new("--output-tokens") { Description = "Output tokens of a request, in MemoryReads.", HelpName = "n", DefaultValueFactory = _ => 256 };
        var optimalOnly = new Option<bool>("--optimal-only") { Description = "Only the points on the frontier." };
        var chart = new Option<bool>("--chart") { Description = "A chart of each frontier in characters before its table." };
        return new Command("pareto", "Finds which runs no other run beats in both cost and value.") { results, cost, value, groupBy, aggregate, batch, output, optimalOnly, chart }.Does((parsed, sink, token) =>
        {
            IReadOnlyList<SparseAttentionResult> rows = ResultFilters.Read(parsed.GetValue(results)!, sink, token);
            string[] groups = parsed.GetValue(groupBy)!;
            new GetParetoOperation
            {
                Results = rows,
                Cost = parsed.GetValue(cost)!,
                Value = parsed.GetValue(value)!,
                GroupBy = groups.Length > 0 ? groups : Groups,
                Aggregate = Options.Enumeration<TaskAggregate>(parsed.GetValue(aggregate)!, "--aggregate"),
                BatchSize = parsed.GetValue(batch),
                OutputTokenCount = parsed.GetValue(output),
                OptimalOnly = parsed.GetValue(optimalOnly),
            }.Execute(sink, token);
            SparsityPoint[] points = [.. sink.Objects.OfType<SparsityPoint>()];
            if (parsed.GetValue(chart) && points.Length > 0)
            {
                TerminalCapabilities terminal = TerminalCapabilities.Detect(Console.IsOutputRedirected ? null : Console.WindowWidth, Console.IsOutputRedirected);
                sink.Receiver = line => sink.Output.WriteLine(line);
                new ShowParetoOperation { Points = points, Terminal = terminal }.Execute(sink, token);
            }

            Tables.Frontiers(sink.Visible, points);
        });
    }
}
