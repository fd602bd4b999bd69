using System.Collections;

namespace SparseFrontier.Completion;

/// <summary>Completes "Name=default" of the chosen tasks' parameters.</summary>
internal sealed class TaskParameterCompleter : CandidateCompleter
{
    /// <inheritdoc/>
    protected override IEnumerable<Candidate> List(IDictionary boundParameters) => Candidates.TaskParameters(Bound(boundParameters, "Task"));
}
