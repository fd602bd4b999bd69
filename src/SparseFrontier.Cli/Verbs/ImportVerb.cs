using System.CommandLine;
using SparseFrontier.Cli.Output;
using SparseFrontier.Experiments.Operations;

namespace SparseFrontier.Cli.Verbs;

/// <summary><c>sparsefrontier import</c>: results of other programs as runs like all others.</summary>
internal static class ImportVerb
{
    public static Command Create()
    {
        Argument<string[]> paths = new("PATH") { Description = "Files of results, or folders that are searched for them.", Arity = ArgumentArity.OneOrMore };
        Option<string> format = Options.Text("--format", "Program that wrote them: LmEvaluationHarness, KVPress, SparseFrontierReference; Auto tells it by names and content.", "F", nameof(ResultFormat.Auto));
        Option<string> results = Options.Text("--results", "Folder of results to write to; without it SPARSEFRONTIER_RESULTS, else the folder results here.", "DIR");
        Option<string> method = Options.Text("--method", "Prefill method, or a decode method after a dense prefill, where the files do not say it.", "A");
        Option<string> decodeMethod = Options.Text("--decode-method", "Decode method, where the files do not say it.", "A");
        var sparsity = new Option<double?>("--sparsity") { Description = "Sparsity that was asked for, where the files do not say it.", HelpName = "s" };
        var decodeSparsity = new Option<double?>("--decode-sparsity") { Description = "Sparsity that was asked of the decode method where both phases were sparse.", HelpName = "s" };
        var length = new Option<int>("--length") { Description = "Prompt tokens, where the files name none.", HelpName = "N" };
        Option<string[]> metric = Options.Texts("--metric", "Metrics to take as the score, the first that a task has, as name or name:filter.", "M,...");
        return new Command("import", "Imports results of lm-evaluation-harness, kvpress and The Sparse Frontier's code as runs like all others.")
        {
            paths, format, results, method, decodeMethod, sparsity, decodeSparsity, length, metric,
        }.Does((parsed, sink, token) =>
        {
            new ImportResultOperation
            {
                Path = parsed.GetValue(paths)!,
                Format = Options.Enumeration<ResultFormat>(parsed.GetValue(format)!, "--format"),
                ResultPath = parsed.GetValue(results)!,
                Method = parsed.GetValue(method)!,
                DecodeMethod = parsed.GetValue(decodeMethod)!,
                Sparsity = parsed.GetValue(sparsity),
                DecodeSparsity = parsed.GetValue(decodeSparsity),
                SequenceLength = parsed.GetValue(length),
                Metric = parsed.GetValue(metric)!,
            }.Execute(sink, token);
            Tables.Results(sink.Visible, sink.Objects.OfType<SparseAttentionResult>());
        });
    }
}
