using System.Collections;

namespace SparseFrontier.Completion;

/// <summary>Completes methods of either phase.</summary>
internal sealed class MethodCompleter : CandidateCompleter
{
    /// <inheritdoc/>
    protected override IEnumerable<Candidate> List(IDictionary boundParameters) => Candidates.Methods();
}
