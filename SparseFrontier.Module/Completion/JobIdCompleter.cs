namespace SparseFrontier.Completion;

/// <summary>Completes ids of jobs that were submitted to Slurm.</summary>
internal sealed class JobIdCompleter : KnownIdCompleter
{
    /// <inheritdoc/>
    protected override IEnumerable<Candidate> List(IReadOnlyList<string> folders, string beginning) => Candidates.Jobs(folders, beginning);
}
