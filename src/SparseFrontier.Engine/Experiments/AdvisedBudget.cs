using System.Globalization;
using SparseFrontier.Attention;

namespace SparseFrontier.Experiments;

/// <summary>Writes what is shown of a method at several lengths as parameters and a schedule of its budget.</summary>
internal static class AdvisedBudget
{
    /// <summary>
    /// Parameters with the budget of the shortest length, and the schedule that multiplies it: up to each length what is shown there and at least what is
    /// shown at shorter ones, dense where nothing is and beyond the longest. No schedule for one length, or where the budget is more than a number.
    /// </summary>
    /// <param name="method">The method.</param>
    /// <param name="lengths">Lengths from the shortest, each with what is shown of the method there; null where it was not run.</param>
    public static (string Parameters, string Schedule) Of(AdvisedMethod method, IReadOnlyList<(int Length, AdvisedMethod? Shown)> lengths)
    {
        bool prefill = method.Phase == "Prefill";
        AttentionMethod? found = prefill ? MethodLookup.Prefill(method.Row.Method) : MethodLookup.Decode(method.Row.DecodeMethod);
        string others = method.Phase == "Both" ? "" : method.Parameters;
        if (method.Phase == "Both" || found?.BudgetParameter is null || lengths.Count(l => l.Shown?.Best is not null) < 2)
        {
            return (others, "");
        }

        var scores = new PairedScores();
        (int Length, double? Budget)[] budgets = [.. lengths.Select(l => (l.Length, l.Shown?.Best is { } best ? Budget(best) : null))];
        if (budgets.Zip(lengths).Any(p => p.Second.Shown?.Best is not null && p.First.Budget is null))
        {
            return (others, "");
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
        MethodParameters shortest = found.WithBudget(found.CreateParameters(others), first);
        string parameters = string.Join(';', new[] { others }.Where(o => o.Length > 0).Concat(
            found.BudgetParameters.Select(p => string.Create(CultureInfo.InvariantCulture, $"{p}={shortest[p]:R}"))));

        // What the schedule makes of the budget must be what was shown.
        MethodParameters scheduled = found.CreateParameters(parameters).With(BudgetSchedule.Parse(schedule));
        double before = 0;
        foreach ((int length, double? budget) in budgets)
        {
            before = Math.Max(before, budget ?? 0);
            MethodParameters wanted = found.WithBudget(shortest, before);
            if (budget is not null && (found.At(scheduled, new BudgetPlace(0, 0, length, BudgetPlace.Prompt)) is not { } there || found.BudgetParameters.Any(p => Math.Abs(there[p] - wanted[p]) > 1e-9)))
            {
                return (others, "");
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

            return most > 0 ? most : null;
        }
    }
}
