using System.Collections;

namespace SparseFrontier.Completion;

/// <summary>Completes devices.</summary>
internal sealed class DeviceCompleter : CandidateCompleter
{
    /// <inheritdoc/>
    protected override IEnumerable<Candidate> List(IDictionary boundParameters) => Candidates.Devices();
}
