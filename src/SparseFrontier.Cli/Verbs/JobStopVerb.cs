using System.CommandLine;
using SparseFrontier.Cli.Output;
using SparseFrontier.Experiments.Operations;

namespace SparseFrontier.Cli.Verbs;

/// <summary><c>sparsefrontier job stop</c>: cancels submitted jobs.</summary>
internal static class JobStopVerb
{
    public static Command Create()
    {
        var id = new Argument<string[]>("ID") { Description = "Ids of jobs; wildcards match.", Arity = ArgumentArity.OneOrMore };
        Option<string> results = Options.Text("--results", "Folder of results; without it SPARSEFRONTIER_RESULTS, else the folder results here.", "DIR");
        return new Command("stop", "Cancels submitted jobs; what they finished stays.") { id, results }.Does((parsed, sink, token) =>
        {
            new StopJobOperation { Id = parsed.GetValue(id)!, ResultPath = parsed.GetValue(results)! }.Execute(sink, token);
            sink.WriteTable<SparseAttentionJob>(Tables.Jobs);
        });
    }
}
