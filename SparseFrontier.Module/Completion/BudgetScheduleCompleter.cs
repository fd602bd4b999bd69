using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;

namespace SparseFrontier.Completion;

/// <summary>Completes a budget schedule word by word. Rules hold blanks, so the text is in quotes; they are closed where a rule may end and left open where something must follow.</summary>
internal sealed class BudgetScheduleCompleter : IArgumentCompleter
{
    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters)
    {
        string quote = wordToComplete.StartsWith('"') ? "\"" : "'";
        string typed = CandidateCompleter.Unquote(wordToComplete);
        int word = typed.LastIndexOfAny([' ', '|']) + 1;
        return CandidateCompleter.Matching(Candidates.BudgetSchedule(typed[..word]), typed[word..])
            .Select(c => CandidateCompleter.Result($"{quote}{typed[..word]}{c.Text}{(c.Text is [.., ':' or ' '] ? "" : quote)}", c));
    }
}
