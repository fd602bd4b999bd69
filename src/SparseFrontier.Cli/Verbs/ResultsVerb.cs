using System.CommandLine;
using SparseFrontier.Cli.Output;
using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Operations;

namespace SparseFrontier.Cli.Verbs;

/// <summary><c>sparsefrontier results</c>: stored runs or their samples.</summary>
internal static class ResultsVerb
{
    public static Command Create()
    {
        Argument<string[]> results = ResultFilters.Paths();
        Option<string[]> runId = Options.Texts("--run", "Only runs with these ids; wildcards match.", "ID");
        Option<string[]> method = Options.Texts("--method", "Only runs of these prefill methods, or decode methods with a dense prefill.", "A,B");
        Option<string[]> decodeMethod = Options.Texts("--decode-method", "Only runs of these decode methods.", "A,B");
        Option<string[]> task = Options.Texts("--task", "Only runs on these tasks.", "T");
        Option<string[]> model = Options.Texts("--model", "Only runs of these models.", "M");
        Option<int[]> length = Options.Integers("--length", "Only runs at these lengths.", "N");
        var status = new Option<RunStatus[]>("--status") { Description = "Only runs in these states.", DefaultValueFactory = _ => [] };
        var samples = new Option<bool>("--samples") { Description = "The samples of the runs instead of the runs." };
        var canonical = new Option<bool>("--canonical") { Description = "Runs and samples of whole folders without times, hosts and memory, in a fixed order, as JSON lines: equal answers give equal bytes." };
        return new Command("results", "Shows stored runs or their samples.") { results, runId, method, decodeMethod, task, model, length, status, samples, canonical }.Does((parsed, sink, token) =>
        {
            if (parsed.GetValue(canonical))
            {
                foreach (string folder in parsed.GetValue(results)!.DefaultIfEmpty(""))
                {
                    sink.Output.Write(ResultExport.Canonical(folder));
                }

                return;
            }

            new GetResultOperation
            {
                Path = parsed.GetValue(results)!,
                RunId = parsed.GetValue(runId)!,
                Method = parsed.GetValue(method)!,
                DecodeMethod = parsed.GetValue(decodeMethod)!,
                Task = parsed.GetValue(task)!,
                Model = parsed.GetValue(model)!,
                SequenceLength = parsed.GetValue(length)!,
                Status = parsed.GetValue(status)!,
                Sample = parsed.GetValue(samples),
            }.Execute(sink, token);
            SampleResult[] rows = [.. sink.Objects.OfType<SampleResult>()];
            if (rows.Length > 0)
            {
                Tables.Samples(sink.Visible, rows);
            }

            Tables.Results(sink.Visible, sink.Objects.OfType<SparseAttentionResult>());
        });
    }
}
