using System.Collections;

namespace SparseFrontier.Completion;

/// <summary>Completes models that are known by name; paths complete as PowerShell does where none fits.</summary>
internal sealed class ModelCompleter : CandidateCompleter
{
    /// <inheritdoc/>
    protected override IEnumerable<Candidate> List(IDictionary boundParameters) => Candidates.Models();
}
