using System.CommandLine;
using SparseFrontier.Cli.Output;
using SparseFrontier.Experiments.Operations;

namespace SparseFrontier.Cli.Verbs;

/// <summary><c>sparsefrontier bundle export</c>: runs as one file.</summary>
internal static class BundleExportVerb
{
    public static Command Create()
    {
        Argument<string> file = new("FILE") { Description = "The file to write." };
        Argument<string[]> results = ResultFilters.Paths();
        var force = new Option<bool>("--force") { Description = "Replace a file that is there." };
        return new Command("export", "Writes runs with specifications, hashes, machines, outputs and scores as one file to cite.") { file, results, force }.Does((parsed, sink, token) =>
        {
            IReadOnlyList<SparseAttentionResult> rows = ResultFilters.Read(parsed.GetValue(results)!, sink, token);
            new ExportBundleOperation { Results = rows, Path = parsed.GetRequiredValue(file), Force = parsed.GetValue(force) }.Execute(sink, token);
            sink.WriteTable<SparseAttentionBundle>(Tables.Bundles);
        });
    }
}
