using System.Collections;

namespace SparseFrontier.Completion;

/// <summary>Completes categories of tasks.</summary>
internal sealed class CategoryCompleter : CandidateCompleter
{
    /// <inheritdoc/>
    protected override IEnumerable<Candidate> List(IDictionary boundParameters) => Candidates.Categories();
}
