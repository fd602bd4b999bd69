using System.Collections;

namespace SparseFrontier.Completion;

/// <summary>Completes decode methods.</summary>
internal sealed class DecodeMethodCompleter : CandidateCompleter
{
    /// <inheritdoc/>
    protected override IEnumerable<Candidate> List(IDictionary boundParameters) => Candidates.Methods("Decode");
}
