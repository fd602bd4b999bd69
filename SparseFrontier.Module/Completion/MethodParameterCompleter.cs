using System.Collections;

namespace SparseFrontier.Completion;

/// <summary>Completes "Name=default" of the chosen methods' parameters.</summary>
internal sealed class MethodParameterCompleter : CandidateCompleter
{
    /// <inheritdoc/>
    protected override IEnumerable<Candidate> List(IDictionary boundParameters) => Candidates.MethodParameters([.. Bound(boundParameters, "Method"), .. Bound(boundParameters, "DecodeMethod")]);
}
