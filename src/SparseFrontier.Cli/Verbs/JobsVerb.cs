using System.CommandLine;
using SparseFrontier.Cli.Output;
using SparseFrontier.Experiments.Operations;

namespace SparseFrontier.Cli.Verbs;

/// <summary><c>sparsefrontier jobs</c>: what was submitted, and how it stands.</summary>
internal static class JobsVerb
{
    public static Command Create()
    {
        var id = new Argument<string[]>("ID") { Description = "Ids of jobs; wildcards match. Without: all.", Arity = ArgumentArity.ZeroOrMore };
        Option<string> results = Options.Text("--results", "Folder of results; without it SPARSEFRONTIER_RESULTS, else the folder results here.", "DIR");
        return new Command("jobs", "Lists the jobs that were submitted with results in a folder.") { id, results }.Does((parsed, sink, token) =>
        {
            new GetJobOperation { Id = parsed.GetValue(id) ?? [], ResultPath = parsed.GetValue(results)! }.Execute(sink, token);
            sink.WriteTable<SparseAttentionJob>(Tables.Jobs);
        });
    }
}
