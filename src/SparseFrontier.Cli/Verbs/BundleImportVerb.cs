using System.CommandLine;
using SparseFrontier.Cli.Output;
using SparseFrontier.Experiments.Operations;

namespace SparseFrontier.Cli.Verbs;

/// <summary><c>sparsefrontier bundle import</c>: stored outputs scored again without a model.</summary>
internal static class BundleImportVerb
{
    public static Command Create()
    {
        Argument<string[]> files = new("FILE") { Description = "Bundles.", Arity = ArgumentArity.OneOrMore };
        Option<string> results = Options.Text("--results", "Folder of results to add the runs to; without it nothing is kept.", "DIR");
        var samples = new Option<bool>("--samples") { Description = "The samples, with stored and new scores, instead of the runs." };
        return new Command("import", "Checks bundles, scores their stored outputs again without a model, and says what differs.") { files, results, samples }.Does((parsed, sink, token) =>
        {
            new ImportBundleOperation { Path = parsed.GetValue(files)!, ResultPath = parsed.GetValue(results)!, Sample = parsed.GetValue(samples) }.Execute(sink, token);
            sink.ClearProgress();
            sink.WriteTable<BundledRun>(Tables.BundledRuns);
            sink.WriteTable<RescoredSample>(Tables.RescoredSamples);
        });
    }
}
