using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;
using SparseFrontier.Binding;

namespace SparseFrontier.Completion;

/// <summary>Completes from a list of candidates: those that begin with what was typed, quoted where PowerShell needs it.</summary>
internal abstract class CandidateCompleter : IArgumentCompleter
{
    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters) =>
        Matching(List(fakeBoundParameters), wordToComplete).Select(c => Result(Quote(c.Text), c));

    /// <summary>The candidates, given the parameters typed so far.</summary>
    protected abstract IEnumerable<Candidate> List(IDictionary boundParameters);

    internal static CompletionResult Result(string inserted, Candidate candidate) =>
        new(inserted, candidate.Text, CompletionResultType.ParameterValue, VisibleText.Line(candidate.ToolTip.Length > 0 ? candidate.ToolTip : candidate.Text));

    /// <summary>A parameter typed so far, as a list.</summary>
    internal static IReadOnlyList<string> Bound(IDictionary boundParameters, string name) => Unwrap.Object(boundParameters[name]) switch
    {
        null => [],
        string text => [text],
        IDictionary table => [ParameterText.Method(table)],
        IEnumerable list => [.. list.Cast<object?>().Select(item => ParameterText.FromObject(Unwrap.Object(item)))],
        var other => [other.ToString() ?? ""],
    };

    internal static IEnumerable<Candidate> Matching(IEnumerable<Candidate> candidates, string typed)
    {
        string start = Unquote(typed);

        // Names of folders come from anywhere; what would act on the terminal is not offered.
        return candidates.Where(c => c.Text.StartsWith(start, StringComparison.OrdinalIgnoreCase) && VisibleText.Line(c.Text) == c.Text);
    }

    /// <summary>What was typed, without its quotes.</summary>
    internal static string Unquote(string typed) => typed.Trim('\'', '"');

    internal static string Quote(string text) =>
        text.All(c => char.IsAsciiLetterOrDigit(c) || "_-./:=\\~".Contains(c, StringComparison.Ordinal)) ? text : $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";
}
