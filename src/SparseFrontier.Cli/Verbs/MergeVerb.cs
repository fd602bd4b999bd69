using System.CommandLine;
using SparseFrontier.Cli.Output;
using SparseFrontier.Experiments.Operations;

namespace SparseFrontier.Cli.Verbs;

/// <summary><c>sparsefrontier merge</c>: completes runs from all their attempts, and takes runs of other folders in.</summary>
internal static class MergeVerb
{
    public static Command Create()
    {
        var path = new Argument<string[]>("RESULTS") { Description = "Folders of results to take in; wildcards match. Without: only what --results holds.", Arity = ArgumentArity.ZeroOrMore };
        Option<string> results = Options.Text("--results", "Folder that is completed; without it SPARSEFRONTIER_RESULTS, else the folder results here.", "DIR");
        return new Command("merge", "Completes runs from what all attempts hold together, and takes runs of other folders in.") { path, results }.Does((parsed, sink, token) =>
        {
            new MergeResultOperation { Path = parsed.GetValue(path) ?? [], ResultPath = parsed.GetValue(results)! }.Execute(sink, token);
            sink.WriteTable<SparseAttentionResult>(Tables.Results);
        });
    }
}
