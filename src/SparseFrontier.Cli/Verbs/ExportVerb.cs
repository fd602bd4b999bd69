using System.CommandLine;
using SparseFrontier.Cli.Output;
using SparseFrontier.Experiments.Operations;

namespace SparseFrontier.Cli.Verbs;

/// <summary><c>sparsefrontier export</c>: rows with the scores of their samples as one small file.</summary>
internal static class ExportVerb
{
    public static Command Create()
    {
        Argument<string> file = new("FILE") { Description = "The file to write: .jsonl, or .jsonl.gz or .jsonl.br to have it compressed." };
        Argument<string[]> results = ResultFilters.Paths();
        var force = new Option<bool>("--force") { Description = "Replace a file that is there." };
        return new Command("export", "Writes rows with the scores of their samples as one small file, which verbs read like a folder of results.") { file, results, force }.Does((parsed, sink, token) =>
        {
            IReadOnlyList<SparseAttentionResult> rows = ResultFilters.Read(parsed.GetValue(results)!, sink, token);
            sink.Receiver = written => Written(sink, (FileInfo)written);
            new ExportResultOperation { Results = rows, Path = parsed.GetRequiredValue(file), Force = parsed.GetValue(force) }.Execute(sink, token);
        });
    }

    private static void Written(ConsoleSink sink, FileInfo file) =>
        sink.Visible.WriteLine(sink.IsJson ? Json.Line(new { Path = file.FullName, file.Length }) : $"Rows: {file.FullName}");
}
