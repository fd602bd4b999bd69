using System.Globalization;
using SparseFrontier.Analysis;
using SparseFrontier.Attention;

namespace SparseFrontier.Experiments;

/// <summary>Sorts rows into series of rising sparsity, each with the dense row that it is compared with.</summary>
internal static class ToleranceSeriesBuilder
{
    /// <summary>The series of rows; a cell without a dense run, or whose samples cannot be paired, is reported and left out.</summary>
    /// <param name="rows">Completed rows.</param>
    /// <param name="paired">Whether samples are needed.</param>
    /// <param name="report">Told what is left out.</param>
    public static IReadOnlyList<ToleranceSeries> Build(IEnumerable<SparseAttentionResult> rows, bool paired, Action<SparseFrontierException> report)
    {
        var scores = new PairedScores();
        var all = new List<ToleranceSeries>();
        foreach (var cell in rows.GroupBy(CellOf))
        {
            SparseAttentionResult[] sparse = [.. cell.Where(r => !IsDense(r))];
            if (sparse.Length == 0)
            {
                continue;
            }

            SparseAttentionResult? dense = cell.Where(IsDense).MaxBy(r => r.SampleCount);
            if (dense is null)
            {
                report(new SparseFrontierException(
                    ErrorIds.DataInsufficient,
                    $"There is no completed dense run of {sparse[0].Task} at {sparse[0].SequenceLength} tokens with {sparse[0].Model}, seed {sparse[0].Seed}, to compare {sparse.Length} sparse runs with. "
                    + "Run the method Dense on it too.",
                    sparse[0].Task));
                continue;
            }

            foreach (var group in sparse.GroupBy(r => (r.Method, r.DecodeMethod, Parameters: FixedParameters(r), Decode: FixedDecodeSparsity(r))))
            {
                var levels = new List<ToleranceLevel>();
                foreach (SparseAttentionResult row in group)
                {
                    try
                    {
                        if (!paired)
                        {
                            // Refuses rows without what the test needs.
                            Tolerance.WelchPValue(dense, row);
                        }

                        double[][] pair = paired ? scores.Shared([dense, row]) : [[], []];
                        levels.Add(new ToleranceLevel(row, SparsityOf(row), pair[0], pair[1]));
                    }
                    catch (SparseFrontierException e)
                    {
                        report(e);
                    }
                }

                if (levels.Count > 0)
                {
                    all.Add(new ToleranceSeries(
                        cell.Key,
                        Protocol.Describe(dense),
                        group.Key.Parameters,
                        group.Key.Decode,
                        dense,
                        [.. levels.OrderBy(l => l.Sparsity).ThenBy(l => l.Row.RunId, StringComparer.Ordinal)]));
                }
            }
        }

        return all;
    }

    /// <summary>Whether a row is of dense attention in both phases.</summary>
    public static bool IsDense(SparseAttentionResult row) => MethodRegistry.IsDense(row.Method) && MethodRegistry.IsDense(row.DecodeMethod);

    // Rows of one cell have the same questions; seeds ask others.
    private static string CellOf(SparseAttentionResult row) => string.Create(
        CultureInfo.InvariantCulture, $"{row.Model}\u001f{row.Task}\u001f{row.SequenceLength}\u001f{row.Seed}\u001f{Protocol.Key(row)}");

    private static double SparsityOf(SparseAttentionResult row) => (MethodRegistry.IsDense(row.Method) ? row.DecodeSparsity : row.PrefillSparsity)
        ?? throw new SparseFrontierException(ErrorIds.DataInsufficient, $"'{row}' has no measured sparsity and cannot be placed.", row.RunId);

    // With two sparse phases the prefill's sparsity is looked at, for one decode sparsity at a time.
    private static double? FixedDecodeSparsity(SparseAttentionResult row) =>
        MethodRegistry.IsDense(row.Method) || MethodRegistry.IsDense(row.DecodeMethod) ? null : row.RequestedDecodeSparsity ?? Math.Round(row.DecodeSparsity ?? 0, 2);

    /// <summary>The parameters that do not set the budget, so that runs which differ in the budget alone form a series.</summary>
    private static string FixedParameters(SparseAttentionResult row)
    {
        string prefill = Fixed(MethodLookup.Prefill(row.Method), row.Parameters);
        string decode = Fixed(MethodLookup.Decode(row.DecodeMethod), row.DecodeParameters);
        return string.Join(" + ", new[] { prefill, decode }.Where(p => p.Length > 0));
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
