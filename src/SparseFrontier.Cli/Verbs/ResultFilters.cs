using System.CommandLine;
using SparseFrontier.Cli.Output;
using SparseFrontier.Experiments.Operations;

namespace SparseFrontier.Cli.Verbs;

/// <summary>The argument that verbs over stored results share.</summary>
internal static class ResultFilters
{
    /// <summary>Folders of results.</summary>
    public static Argument<string[]> Paths() => new("RESULTS")
    {
        Description = "Folders of results or of single runs, wildcards match, or files of rows that export wrote. Without any: SPARSEFRONTIER_RESULTS, else the folder results here.",
        Arity = ArgumentArity.ZeroOrMore,
        DefaultValueFactory = _ => [],
    };

    /// <summary>The rows of folders.</summary>
    public static IReadOnlyList<SparseAttentionResult> Read(string[] paths, ConsoleSink sink, CancellationToken token)
    {
        var rows = new List<SparseAttentionResult>();
        sink.Receiver = item => rows.Add((SparseAttentionResult)item);
        new GetResultOperation { Path = paths }.Execute(sink, token);
        sink.Receiver = null;
        return rows;
    }
}
