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
        return Join(prefill, decode);
    }

    /// <summary>
    /// The same with the window of VerticalSlash and FlexPrefill as a share of the task's own, which they have unless told otherwise, so that tasks can be put together: "Window=x0.5" is half of it.
    /// </summary>
    public static string AcrossTasks(SparseAttentionResult row) =>
        Join(row.Parameters.Length == 0 ? "" : AcrossTasks(row.Task, row.Method, Fixed(MethodLookup.Prefill(row.Method), row.Parameters)), Fixed(MethodLookup.Decode(row.DecodeMethod), row.DecodeParameters));

    /// <summary>Parameters with the window as a share of the task's own.</summary>
    /// <param name="task">Task.</param>
    /// <param name="method">Prefill method.</param>
    /// <param name="parameters">Its parameters, "Name=value;..."; the usual ones may be missing.</param>
    public static string AcrossTasks(string task, string method, string parameters) => WithWindow(task, method, parameters, (window, own) => $"x{window / own:R}");

    /// <summary>The unusual ones of a method's parameters that do not set the budget; empty where all are as they are without being given.</summary>
    /// <param name="phase">"Prefill" or "Decode".</param>
    /// <param name="method">Method.</param>
    /// <param name="parameters">Its parameters, "Name=value;...".</param>
    public static string Of(string phase, string method, string parameters) =>
        Fixed(phase.Equals("Prefill", StringComparison.OrdinalIgnoreCase) ? MethodLookup.Prefill(method) : MethodLookup.Decode(method), parameters);

    /// <summary>The parameters of a row's sparse prefill or decode that are to be given with a budget so that another run is of its series; a task's own window need not be.</summary>
    public static string ToGive(SparseAttentionResult row) => MethodRegistry.IsDense(row.Method)
        ? Fixed(MethodLookup.Decode(row.DecodeMethod), row.DecodeParameters)
        : row.Parameters.Length == 0 ? "" : WithWindow(row.Task, row.Method, Fixed(MethodLookup.Prefill(row.Method), row.Parameters), (window, _) => $"{window:R}");

    private static string WithWindow(string task, string method, string parameters, Func<double, double, FormattableString> write)
    {
        if (method is not ("VerticalSlash" or "FlexPrefill") || TaskRegistry.Tasks.FirstOrDefault(t => t.Name.Equals(task, StringComparison.OrdinalIgnoreCase))?.ApproximationWindow is not { } own)
        {
            return parameters;
        }

        const string Name = "Window=";
        string[] parts = parameters.Split(';', StringSplitOptions.RemoveEmptyEntries);
        double window = MethodLookup.Prefill(method)!.CreateParameters()["Window"];
        if (parts.FirstOrDefault(p => p.StartsWith(Name, StringComparison.Ordinal)) is { } given && !double.TryParse(given.AsSpan(Name.Length), CultureInfo.InvariantCulture, out window))
        {
            // Another program's words are taken as they are.
            return parameters;
        }

        return string.Join(';', parts.Where(p => !p.StartsWith(Name, StringComparison.Ordinal)).Concat(window == own ? [] : [$"{Name}{write(window, own).ToString(CultureInfo.InvariantCulture)}"]));
    }

    private static string Join(string prefill, string decode) => string.Join(" + ", new[] { prefill, decode }.Where(p => p.Length > 0));

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
