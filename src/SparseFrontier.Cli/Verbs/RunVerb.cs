using System.CommandLine;
using SparseFrontier.Cli.Output;
using SparseFrontier.Experiments.Operations;

namespace SparseFrontier.Cli.Verbs;

/// <summary><c>sparsefrontier run</c>: runs a grid and shows scores, the frontier, and where the results are.</summary>
internal static class RunVerb
{
    public static Command Create()
    {
        var sweep = new SweepOptions();
        var batch = new Option<int>("--batch") { Description = "Sequences generated side by side at most; changes speed and memory, never results.", HelpName = "n", DefaultValueFactory = _ => 8 };
        Option<string> results = Options.Text("--results", "Folder of results; without it SPARSEFRONTIER_RESULTS, else the folder results here.", "DIR");
        var force = new Option<bool>("--force") { Description = "Repeat runs that are finished." };
        var timeout = new Option<double?>("--timeout") { Description = "Seconds after which the runs stop; what is finished is kept, and the same command goes on from there.", HelpName = "s" };
        var whatIf = new Option<bool>("--what-if") { Description = "Only say what would run and what that would cost; no model is loaded." };
        var command = new Command("run", "Runs methods on tasks; without options the default comparison: seven methods at sparsities of 0.5 and 0.85 on StoryFiltering, 16 samples each, on the embedded model. Finished runs are returned, interrupted ones go on.");
        sweep.AddWithInputTo(command);
        command.Options.Add(batch);
        command.Options.Add(results);
        command.Options.Add(force);
        command.Options.Add(timeout);
        command.Options.Add(whatIf);
        return command.Does((parsed, sink, token) =>
        {
            List<RunSpecification> specifications = sweep.Runs(parsed, sink, token);
            if (parsed.GetValue(whatIf))
            {
                new GetPlanOperation { Specifications = specifications, ResultPath = parsed.GetValue(results)! }.Execute(sink, token);
                if (!sink.IsJson)
                {
                    Tables.Plans(sink.Visible, [.. sink.Objects.OfType<SparseAttentionPlan>()]);
                }

                return;
            }

            new InvokeRunOperation
            {
                Specifications = specifications,
                ResultPath = parsed.GetValue(results)!,
                Force = parsed.GetValue(force),
                BatchSize = parsed.GetValue(batch),
                TimeoutSeconds = parsed.GetValue(timeout),
            }.Execute(sink, token);
            sink.ClearProgress();
            SparseAttentionResult[] rows = [.. sink.Objects.OfType<SparseAttentionResult>().OrderBy(r => Position(specifications, r))];
            if (rows.Length > 0)
            {
                Show(sink, rows, token);
            }
        });
    }

    // Rows come as runs complete; the table shows them as they were asked for.
    private static int Position(List<RunSpecification> specifications, SparseAttentionResult row) => specifications.FindIndex(s =>
        s.Method == row.Method && s.DecodeMethod == row.DecodeMethod && s.Sparsity == row.RequestedSparsity && s.DecodeSparsity == row.RequestedDecodeSparsity
        && s.SequenceLength == row.SequenceLength && s.Task == row.Task);

    private static void Show(ConsoleSink sink, SparseAttentionResult[] rows, CancellationToken token)
    {
        Tables.Results(sink.Visible, rows);
        var points = new List<SparsityPoint>();
        sink.Receiver = item => points.Add((SparsityPoint)item);
        new GetParetoOperation { Results = rows, GroupBy = ParetoVerb.Groups }.Execute(sink, token);
        sink.Receiver = null;
        Tables.Frontiers(sink.Visible, points);
        string[] folders = [.. rows.Select(r => Path.GetDirectoryName(r.Path)).OfType<string>().Distinct()];
        sink.Output.WriteLine();
        sink.Visible.WriteLine($"Results: {string.Join(", ", folders)}");
    }
}
