using System.Collections;

namespace SparseFrontier.Completion;

/// <summary>Completes names of the paper's claims.</summary>
internal sealed class FindingCompleter : CandidateCompleter
{
    /// <inheritdoc/>
    protected override IEnumerable<Candidate> List(IDictionary boundParameters) => Candidates.Findings();
}
