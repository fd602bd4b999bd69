using System.Collections;

namespace SparseFrontier.Completion;

/// <summary>Completes columns of result rows.</summary>
internal sealed class ColumnCompleter : CandidateCompleter
{
    /// <inheritdoc/>
    protected override IEnumerable<Candidate> List(IDictionary boundParameters) => Candidates.Columns();
}
