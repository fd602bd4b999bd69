using System.Globalization;
using SparseFrontier.Analysis;
using SparseFrontier.Attention;
using SparseFrontier.Reporting.Report.Figures;

namespace SparseFrontier.Reporting.Report;

/// <summary>
/// What the results say, in sentences. Each states what was computed from the rows and nothing beyond it: means are called means, what was not run is not
/// spoken of, and what is not shown is called not shown.
/// </summary>
internal static class ReportAnswer
{
    // So many frontiers can be told one by one at the head of a page.
    private const int Few = 3;

    /// <summary>The answer: at most a handful of sentences.</summary>
    public static IReadOnlyList<string> Sentences(ReportData data)
    {
        IReadOnlyList<SparsityPoint>[] frontiers = [.. FrontierFigure.Frontiers(data)];
        List<string> sentences = frontiers.Length <= Few ? [.. Frontiers(data)] : [AgainstDense(frontiers), ByMethod(data, frontiers)];
        if (data.Tolerances.Count > 0)
        {
            sentences.Add(Tolerance(data.Tolerances));
        }

        return sentences.Count > 0 ? sentences : ["No run of these results can be compared: none is completed with a score."];
    }

    /// <summary>Every frontier in words, for where there are too many for the answer; empty where the answer holds them all.</summary>
    public static IReadOnlyList<string> Details(ReportData data) => FrontierFigure.Frontiers(data).Count() > Few ? [.. Frontiers(data)] : [];

    private static IEnumerable<string> Frontiers(ReportData data) => FrontierFigure.Frontiers(data).Select(f => Frontier(data, f));

    private static string AgainstDense(IReadOnlyList<SparsityPoint>[] frontiers)
    {
        IReadOnlyList<SparsityPoint>[] both = [.. frontiers.Where(f => f.Any(IsDense) && !f.All(IsDense))];
        IReadOnlyList<SparsityPoint>[] compared = [.. both.Where(f => f.Where(IsDense).All(IsClearlyAboveChance))];
        string blind = compared.Length == both.Length ? "" : Invariant(
            $" On {both.Length - compared.Length} more dense attention itself is not clearly above chance, so that nothing could be lost: they are not counted.");
        int better = compared.Count(f => f.Where(IsDense).All(d => f.Any(p => !IsDense(p) && p.Value >= d.Value && p.Cost < d.Cost)));
        return compared.Length == 0
            ? Invariant($"None of {Counted.Of(frontiers.Length, "frontier")} holds both a dense run clearly above chance and a sparse run, so nothing is said of sparse against dense.")
            : Invariant($"On {better} of {Counted.Of(compared.Length, "frontier")} a sparse run has at least dense attention's mean score at a lower computed cost; on {compared.Length - better} none has.{blind}");
    }

    private static string ByMethod(ReportData data, IReadOnlyList<SparsityPoint>[] frontiers)
    {
        string[] counts =
        [
            .. data.Looks.Select(look => (look.Name, Tried: frontiers.Where(f => f.Any(p => Methods(p) == look.Name)).ToArray()))
                .Where(m => m.Tried.Length > 0)
                .Select(m => (m.Name, On: m.Tried.Count(f => f.Any(p => p.IsOptimal && Methods(p) == m.Name)), Of: m.Tried.Length))
                .OrderByDescending(m => (double)m.On / m.Of).ThenByDescending(m => m.Of)
                .Select(m => Invariant($"{m.Name} {m.On} of {m.Of}")),
        ];
        return $"Frontiers that a method is on, of those that it was compared on: {string.Join(", ", counts)}.";
    }

    private static string Frontier(ReportData data, IReadOnlyList<SparsityPoint> points)
    {
        SparsityPoint[] optimal = [.. points.Where(p => p.IsOptimal).OrderBy(p => p.Cost).ThenBy(p => p.Value)];
        SparsityPoint best = optimal[^1];
        SparsityPoint? dense = points.Where(IsDense).MaxBy(p => p.Value);
        string runs = Counted.Of(points.Count, "run");
        string least = optimal.Length > 1 ? $" The cheapest run on it, {Name(optimal[0])}, has {Mean(optimal[0])}." : "";
        string against = dense is null ? " No dense run is among them."
            : dense == best ? ""
            : $" Dense attention{(dense.ModelCount > 1 ? $" ({dense.Model})" : "")} has {Mean(dense)}.";
        return Invariant(
            $"{FrontierFigure.Place(data, best)}, by {AxisText.Name(best.CostName)}: of {runs}, {optimal.Length} {(optimal.Length == 1 ? "is" : "are")} on the frontier. The highest mean score, {Score(best)}, costs least with {Name(best)}: {AxisText.Amount(best.CostName, best.Cost)}.{least}{against}");
    }

    private static string Tolerance(IReadOnlyList<SparsityTolerance> rows)
    {
        SparsityTolerance[] shown = [.. rows.Where(r => r.ToleratedSparsity is not null)];
        string rule = ToleranceFigure.Rule(rows[0]);
        string series = Counted.Of(rows.Count, "series", "series");
        if (shown.Length == 0)
        {
            return $"Tolerance ({rule}): none of {series} of rising sparsity establishes it at any tested sparsity. That is something that these samples do not show, not a loss that they show.";
        }

        SparsityTolerance most = shown.MaxBy(r => r.ToleratedSparsity)!;
        return Invariant(
            $"Tolerance ({rule}): {shown.Length} of {series} of rising sparsity establish it somewhere; the furthest is {CellText.Methods(most.Method, most.DecodeMethod)} on {most.Task} at {most.SequenceLength} tokens ({most.Model}), up to sparsity {CellText.Fraction(most.ToleratedSparsity)}.");
    }

    private static bool IsDense(SparsityPoint point) => MethodRegistry.IsDense(point.Method) && MethodRegistry.IsDense(point.DecodeMethod);

    private static bool IsClearlyAboveChance(SparsityPoint point) =>
        !point.ValueName.Equals(nameof(SparseAttentionResult.Score), StringComparison.OrdinalIgnoreCase) || (point.ValueLow ?? point.Value) > (point.Chance ?? ChanceFloor.Of(point.Task)) + ChanceFloor.Clear;

    private static string Methods(SparsityPoint point) => CellText.Methods(point.Method, point.DecodeMethod);

    private static string Mean(SparsityPoint point) => $"a mean score of {Score(point)} for {AxisText.Amount(point.CostName, point.Cost)}";

    private static string Score(SparsityPoint point) => $"{CellText.Score(point.Value)} {CellText.Interval(point.ValueLow, point.ValueHigh)}".TrimEnd();

    private static string Name(SparsityPoint point)
    {
        string sparsity = (MethodRegistry.IsDense(point.Method), MethodRegistry.IsDense(point.DecodeMethod)) switch
        {
            (true, true) => "",
            (false, true) => $" at prefill sparsity {CellText.Fraction(point.PrefillSparsity)}",
            (true, false) => $" at decode sparsity {CellText.Fraction(point.DecodeSparsity)}",
            _ => $" at sparsities {CellText.Fraction(point.PrefillSparsity)} (prefill) and {CellText.Fraction(point.DecodeSparsity)} (decode)",
        };
        return $"{CellText.Point(point)}{sparsity}";
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
