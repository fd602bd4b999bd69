using System.CommandLine;

namespace SparseFrontier.Cli;

/// <summary>Options that every verb has.</summary>
internal static class CommonOptions
{
    /// <summary>Machine-readable output.</summary>
    public static Option<bool> Json { get; } = new("--json")
    {
        Description = "Write one JSON object a line to standard output, errors as JSON to standard error.",
        Recursive = true,
    };

    /// <summary>Decisions on standard error.</summary>
    public static Option<bool> Verbose { get; } = new("--verbose")
    {
        Description = "Say on standard error what is decided and why.",
        Recursive = true,
    };
}
