using System.Collections;

namespace SparseFrontier.Completion;

/// <summary>Completes tasks.</summary>
internal sealed class TaskCompleter : CandidateCompleter
{
    /// <inheritdoc/>
    protected override IEnumerable<Candidate> List(IDictionary boundParameters) => Candidates.Tasks();
}
