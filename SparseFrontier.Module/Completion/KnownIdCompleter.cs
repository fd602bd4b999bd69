using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;

namespace SparseFrontier.Completion;

/// <summary>Completes ids of what is stored in the folders of results that were typed, or in the default one.</summary>
internal abstract class KnownIdCompleter : IArgumentCompleter
{
    // In the order in which a cmdlet would take them.
    private static readonly string[] s_paths = ["LiteralPath", "Path", "ResultPath"];

    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters)
    {
        string beginning = CandidateCompleter.Unquote(wordToComplete);
        return CandidateCompleter.Matching(List(Folders(fakeBoundParameters), beginning), beginning).Select(c => CandidateCompleter.Result(CandidateCompleter.Quote(c.Text), c));
    }

    /// <summary>The candidates.</summary>
    /// <param name="folders">Folders of results; none: that of the environment variable.</param>
    /// <param name="beginning">What they begin with.</param>
    protected abstract IEnumerable<Candidate> List(IReadOnlyList<string> folders, string beginning);

    // Relative to PowerShell's location, which is not the process's.
    private static string[] Folders(IDictionary boundParameters)
    {
        string? named = s_paths.FirstOrDefault(boundParameters.Contains);
        string[] paths = named is not null ? [.. CandidateCompleter.Bound(boundParameters, named)]
            : string.IsNullOrEmpty(Environment.GetEnvironmentVariable("SPARSEFRONTIER_RESULTS")) ? ["results"] : [];
        if (paths.Length == 0)
        {
            return [];
        }

        using var shell = PowerShell.Create(RunspaceMode.CurrentRunspace);
        string[] folders =
        [
            .. shell.AddCommand("Microsoft.PowerShell.Management\\Resolve-Path").AddParameter(named is null or "Path" ? "Path" : "LiteralPath", paths).AddParameter("ErrorAction", ActionPreference.Ignore)
                .Invoke<PathInfo>().Where(p => p.Provider.Name == "FileSystem").Select(p => p.ProviderPath),
        ];

        // A folder that is not there has no ids; none at all would mean the default one.
        return folders.Length > 0 ? folders : paths;
    }
}
