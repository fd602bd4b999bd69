using System.Collections;

namespace SparseFrontier.Completion;

/// <summary>Completes columns of cost.</summary>
internal sealed class CostCompleter : CandidateCompleter
{
    /// <inheritdoc/>
    protected override IEnumerable<Candidate> List(IDictionary boundParameters) => Candidates.Costs();
}
