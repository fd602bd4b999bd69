using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;

namespace SparseFrontier.Completion;

/// <summary>Completes folders, as PowerShell's own file completion does but without files, and with brackets as they are where the parameter takes no wildcards.</summary>
internal sealed class ResultPathCompleter : IArgumentCompleter
{
    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters) =>
        CompletionCompleters.CompleteFilename(wordToComplete)
            .Where(c => c.ResultType == CompletionResultType.ProviderContainer && VisibleText.Line(c.ListItemText) == c.ListItemText && VisibleText.Line(c.ToolTip) == c.ToolTip)
            .Select(c => parameterName == "Path" ? c : new CompletionResult(WildcardPattern.Unescape(c.CompletionText), c.ListItemText, c.ResultType, c.ToolTip));
}
