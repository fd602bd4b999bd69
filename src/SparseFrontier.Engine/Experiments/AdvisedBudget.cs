using System.Globalization;
using SparseFrontier.Analysis;
using SparseFrontier.Attention;

namespace SparseFrontier.Experiments;

/// <summary>Writes what is shown of a method at several lengths as a budget and a schedule of it.</summary>
internal static class AdvisedBudget
{
    /// <summary>
    /// The budget of the shortest length as parameters, and the schedule that multiplies it: up to each length what is shown there and at least what is
    /// shown at shorter ones, dense where nothing is and beyond the longest. No schedule for one length, or where the budget is more than a number, or where
    /// this version cannot give it: rows may be another program's, with parameters of other names or sparsities that the method does not reach here.
    /// </summary>
    /// <param name="method">The method.</param>
    /// <param name="lengths">Lengths from the shortest, each with what is shown of the method there; null where it was not run.</param>
    public static (string Budget, string Schedule) Of(AdvisedMethod method, IReadOnlyList<(int Length, AdvisedMethod? Shown)> lengths)
    {
        try
        {
            return Write(method, lengths);
        }
        catch (SparseFrontierException)
        {
            // The sparsity that is shown stays the advice; what one method's rows say must not keep the advice on others back.
            return ("", "");
        }
    }

    private static (string Budget, string Schedule) Write(AdvisedMethod method, IReadOnlyList<(int Length, AdvisedMethod? Shown)> lengths)
    {
        bool prefill = method.Phase == "Prefill";
        AttentionMethod? found = prefill ? MethodLookup.Prefill(method.Row.Method) : MethodLookup.Decode(method.Row.DecodeMethod);
        if (method.Phase == "Both" || found?.BudgetParameter is null || lengths.Count(l => l.Shown?.Best is not null) < 2)
        {
            return ("", "");
        }

        MethodParameters others = found.CreateParameters(FixedParameters.ToGive(method.Row));
        var scores = new PairedScores();
        (int Length, double? Budget)[] budgets = [.. lengths.Select(l => (l.Length, l.Shown?.Best is { } best ? Budget(best) : null))];
        if (budgets.Zip(lengths).Any(p => p.Second.Shown?.Best is not null && p.First.Budget is null))
        {
            return ("", "");
        }

        double first = budgets.First(b => b.Budget is not null).Budget!.Value;
        double largest = first;
        int from = 0;
        var rules = new List<string>();
        foreach ((int length, double? budget) in budgets)
        {
            largest = Math.Max(largest, budget ?? 0);
            rules.Add(string.Create(CultureInfo.InvariantCulture, $"length:{from}-{length} {(budget is null ? "dense" : $"x{largest / first:R}")}"));
            from = length + 1;
        }

        rules.Add(string.Create(CultureInfo.InvariantCulture, $"length:{from}- dense"));
        string schedule = string.Join(" | ", rules);
        MethodParameters shortest = found.WithBudget(others, first);
        string parameters = string.Join(';', found.BudgetParameters.Select(p => string.Create(CultureInfo.InvariantCulture, $"{p}={shortest[p]:R}")));

        // What the schedule makes of the budget must be what was shown.
        MethodParameters scheduled = shortest.With(BudgetSchedule.Parse(schedule));
        double before = 0;
        foreach ((int length, double? budget) in budgets)
        {
            before = Math.Max(before, budget ?? 0);
            MethodParameters wanted = found.WithBudget(shortest, before);
            if (budget is not null && (found.At(scheduled, new BudgetPlace(0, 0, length, BudgetPlace.Prompt)) is not { } there || found.BudgetParameters.Any(p => Math.Abs(there[p] - wanted[p]) > 1e-9)))
            {
                return ("", "");
            }
        }

        return (parameters, schedule);

        // The largest of all samples: shorter ones were run with less.
        double? Budget(AdvisedLevel level)
        {
            double most = 0;
            foreach (SampleResult sample in level.Tasks.SelectMany(t => scores.Of(t.Row)))
            {
                string text = prefill ? sample.Parameters : sample.DecodeParameters;
                if (text.Length == 0)
                {
                    return null;
                }

                if (found.BudgetOf(found.CreateParameters(text)) is not { } one)
                {
                    return null;
                }

                most = Math.Max(most, one);
            }

            // A file of rows has the first sample's alone. No sample is longer than the length that was asked for.
            foreach (ToleranceLevel task in level.Tasks.Where(t => level.IsAsked && !found.NeedsCalibration && scores.Of(t.Row) is SummarySamples))
            {
                most = Math.Max(most, found.BudgetOf(found.SolveBudget(level.Asked, new PromptShape(task.Row.SequenceLength, 1, 1), others).Parameters) ?? 0);
            }

            return most > 0 ? most : null;
        }
    }
}
