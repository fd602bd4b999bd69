using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;

namespace SparseFrontier.Completion;

/// <summary>Completes a phrase word by word. It holds blanks, so the text is in quotes; they are closed where the phrase may end and left open where something must follow.</summary>
/// <param name="separators">What stands between words.</param>
internal abstract class PhraseCompleter(params char[] separators) : IArgumentCompleter
{
    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters)
    {
        string quote = wordToComplete.StartsWith('"') ? "\"" : "'";
        string typed = CandidateCompleter.Unquote(wordToComplete);
        int word = typed.LastIndexOfAny(separators) + 1;
        return CandidateCompleter.Matching(List(typed[..word]), typed[word..])
            .Select(c => CandidateCompleter.Result($"{quote}{typed[..word]}{c.Text}{(c.Text is [.., ':' or ' '] ? "" : quote)}", c));
    }

    /// <summary>The words that may follow.</summary>
    /// <param name="before">Whole words.</param>
    protected abstract IEnumerable<Candidate> List(string before);
}
