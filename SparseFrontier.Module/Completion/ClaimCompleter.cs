namespace SparseFrontier.Completion;

/// <summary>Completes a claim about two methods.</summary>
internal sealed class ClaimCompleter() : PhraseCompleter(' ', '+')
{
    /// <inheritdoc/>
    protected override IEnumerable<Candidate> List(string before) => Candidates.Claim(before);
}
