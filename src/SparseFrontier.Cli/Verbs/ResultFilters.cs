using System.CommandLine;

namespace SparseFrontier.Cli.Verbs;

/// <summary>The argument that verbs over stored results share.</summary>
internal static class ResultFilters
{
    /// <summary>Folders of results.</summary>
    public static Argument<string[]> Paths() => new("RESULTS")
    {
        Description = "Folders of results or of single runs; wildcards match. Without any: SPARSEFRONTIER_RESULTS, else the folder results here.",
        Arity = ArgumentArity.ZeroOrMore,
        DefaultValueFactory = _ => [],
    };
}
