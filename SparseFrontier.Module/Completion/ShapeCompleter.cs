using System.Collections;

namespace SparseFrontier.Completion;

/// <summary>Completes models whose sizes are known: those known by name and published ones.</summary>
internal sealed class ShapeCompleter : CandidateCompleter
{
    /// <inheritdoc/>
    protected override IEnumerable<Candidate> List(IDictionary boundParameters) => Candidates.Models().Concat(Candidates.Shapes());
}
