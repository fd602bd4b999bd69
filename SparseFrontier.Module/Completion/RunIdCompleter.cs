namespace SparseFrontier.Completion;

/// <summary>Completes ids of runs.</summary>
internal sealed class RunIdCompleter : KnownIdCompleter
{
    /// <inheritdoc/>
    protected override IEnumerable<Candidate> List(IReadOnlyList<string> folders, string beginning) => Candidates.Runs(folders, beginning);
}
