using System.CommandLine;
using SparseFrontier.Cli.Output;
using SparseFrontier.Experiments.Operations;

namespace SparseFrontier.Cli.Verbs;

/// <summary><c>sparsefrontier scaling</c>: laws of score in model size, length and compression.</summary>
internal static class ScalingVerb
{
    public static Command Create()
    {
        Argument<string[]> results = ResultFilters.Paths();
        return new Command("scaling", "Fits scores to model size, length and compression, and shows how well the largest of each is predicted.") { results }.Does((parsed, sink, token) =>
        {
            IReadOnlyList<SparseAttentionResult> rows = ResultFilters.Read(parsed.GetValue(results)!, sink, token);
            new MeasureScalingOperation { Results = rows }.Execute(sink, token);
            sink.WriteTable<SparsityScaling>(Tables.Scalings);
        });
    }
}
