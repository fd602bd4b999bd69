using System.Collections;

namespace SparseFrontier.Completion;

/// <summary>Completes kernels of the correctness suite.</summary>
internal sealed class KernelCompleter : CandidateCompleter
{
    /// <inheritdoc/>
    protected override IEnumerable<Candidate> List(IDictionary boundParameters) => Candidates.Kernels();
}
