namespace SparseFrontier.Completion;

/// <summary>Completes a budget schedule.</summary>
internal sealed class BudgetScheduleCompleter() : PhraseCompleter(' ', '|')
{
    /// <inheritdoc/>
    protected override IEnumerable<Candidate> List(string before) => Candidates.BudgetSchedule(before);
}
