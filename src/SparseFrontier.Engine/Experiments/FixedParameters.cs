using System.Globalization;
using SparseFrontier.Attention;
using SparseFrontier.Tasks;

namespace SparseFrontier.Experiments;

/// <summary>What rows that differ in the budget alone have in common.</summary>
internal static class FixedParameters
{
    /// <summary>The parameters that do not set the budget, so that runs which differ in the budget alone form a series.</summary>
    public static string Of(SparseAttentionResult row)
    {
        string prefill = Fixed(MethodLookup.Prefill(row.Method), row.Parameters);
        string decode = Fixed(MethodLookup.Decode(row.DecodeMethod), row.DecodeParameters);
        return string.Join(" + ", new[] { prefill, decode }.Where(p => p.Length > 0));
    }

    /// <summary>The same without the window that VerticalSlash and FlexPrefill take from the task unless told otherwise, so that tasks can be put together.</summary>
    public static string AcrossTasks(SparseAttentionResult row) => AcrossTasks(row.Task, Of(row));

    /// <summary>Parameters of a row on a task without the task's own window.</summary>
    public static string AcrossTasks(string task, string parameters)
    {
        int? window = TaskRegistry.Tasks.FirstOrDefault(t => t.Name.Equals(task, StringComparison.OrdinalIgnoreCase))?.ApproximationWindow;
        return string.Join(';', parameters.Split(';').Where(p => p != string.Create(CultureInfo.InvariantCulture, $"Window={window}")));
    }

    private static string Fixed(AttentionMethod? method, string text)
    {
        if (method?.BudgetParameter is null || text.Length == 0)
        {
            return "";
        }

        MethodParameters parameters;
        try
        {
            parameters = method.CreateParameters(text);
        }
        catch (SparseFrontierException)
        {
            // Written by another version or program: taken as it is.
            return text;
        }

        var usual = method.CreateParameters().Values;
        HashSet<string> budget = BudgetNames(method);
        return string.Join(';', parameters.Values.Where(p => !budget.Contains(p.Key) && p.Value != usual[p.Key]).Select(p => string.Create(CultureInfo.InvariantCulture, $"{p.Key}={p.Value:R}")));
    }

    // Whatever a budget changes: two sizes for VerticalSlash, floor and coverage for FlexPrefill.
    private static HashSet<string> BudgetNames(AttentionMethod method)
    {
        MethodParameters parameters = method.CreateParameters();
        var names = new HashSet<string>(StringComparer.OrdinalIgnoreCase) { method.BudgetParameter! };
        foreach (MethodParameter parameter in method.Parameters)
        {
            if (new[] { 0.5, 64, 4096 }.Select(b => method.WithBudget(parameters, b)[parameter.Name]).Distinct().Count() > 1)
            {
                names.Add(parameter.Name);
            }
        }

        return names;
    }
}
