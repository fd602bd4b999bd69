using System.Globalization;
using SparseFrontier.Attention;

namespace SparseFrontier.Reporting.Report.Figures;

/// <summary>Tasks against methods: the mean score at one asked sparsity.</summary>
internal static class HeatMapFigure
{
    // Where cividis turns light enough for dark text.
    private const double LightFrom = 0.5;

    public static ReportFigure Create(ReportData data)
    {
        var panels = data.Scored.GroupBy(r => r.Model).SelectMany(Panels).ToArray();
        return new ReportFigure
        {
            Id = "heat-map",
            Title = "Tasks and methods: where what is lost",
            Lead = "Mean scores (0 to 1) of each task, down, and method, across, at the sparsity asked for: light is right, dark is wrong. Empty cells were not run.",
            Panels = [.. panels.Select(p => Panel(data, p.Title, p.Cells))],
            Missing = panels.Length > 0 ? "" : "No completed sparse run has a score.",
            Table = panels.Length > 0 ? Table(data, panels) : null,
        };
    }

    private static IEnumerable<(string Title, SparseAttentionResult[] Cells)> Panels(IGrouping<string, SparseAttentionResult> model)
    {
        SparseAttentionResult[] dense = [.. model.Where(IsDense)];
        foreach (var asked in model.Where(r => !IsDense(r)).GroupBy(r => CellText.Requested(r.RequestedSparsity, r.RequestedDecodeSparsity)).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            var places = asked.Select(Place).ToHashSet();
            yield return ($"{model.Key}, {(asked.Key == "-" ? "budgets as given" : $"sparsity {asked.Key}")}", [.. dense.Where(r => places.Contains(Place(r))), .. asked]);
        }
    }

    private static bool IsDense(SparseAttentionResult row) => MethodRegistry.IsDense(row.Method) && MethodRegistry.IsDense(row.DecodeMethod);

    private static string Place(SparseAttentionResult row) => FormattableString.Invariant($"{row.Task}, {row.SequenceLength} tokens");

    private static ReportPanel Panel(ReportData data, string title, SparseAttentionResult[] rows)
    {
        // Several runs of one cell (seeds, parameters, protocols) are its mean.
        var cells = rows.GroupBy(r => (Place: Place(r), Method: ReportData.Methods(r)))
            .Select(g => (g.Key.Place, g.Key.Method, Score: g.Average(r => r.Score!.Value))).ToArray();
        string[] places = [.. cells.Select(c => c.Place).Distinct()];
        string[] methods = [.. data.LooksOf(cells.Select(c => c.Method)).Select(l => l.Name)];
        ChartChannel x = ChartChannel.Category("method") with
        {
            Scale = new ChartScale { Domain = methods },
            Axis = new ChartAxis { Title = "", Orient = "top", LabelAngle = 35, Domain = false, Ticks = false, LabelLimit = 170 },
        };
        ChartChannel y = ChartChannel.Category("place") with
        {
            Scale = new ChartScale { Domain = places },
            Axis = new ChartAxis { Title = "", Domain = false, Ticks = false, LabelLimit = 190 },
        };
        object Row((string Place, string Method, double Score) cell) => new { cell.Place, cell.Method, cell.Score, Text = cell.Score.ToString("F2", CultureInfo.InvariantCulture) };
        ChartLayer Text(bool light, string color) => new(
            new ChartMark("text") { Fill = color, FontSize = 11 },
            new ChartEncoding { X = x, Y = y, Text = ChartChannel.Category("text") },
            new ChartData([.. cells.Where(c => c.Score >= LightFrom == light).Select(Row)]));
        return new ReportPanel(
            title,
            new ChartSpecification
            {
                Description = $"Mean scores of {Counted.Of(methods.Length, "method")} on {Counted.Of(places.Length, "task and length", "tasks and lengths")}, {title}. The table holds the numbers.",
                Height = 30 * places.Length,
                Layer =
                [
                    new ChartLayer(
                        new ChartMark("rect") { Stroke = "var(--ground)", StrokeWidth = 2 },
                        new ChartEncoding
                        {
                            X = x,
                            Y = y,
                            Fill = ChartChannel.Quantity("score") with { Scale = new ChartScale { Domain = [0, 1], Scheme = "cividis" } },
                            Tooltip = FigureParts.Tooltip(("method", "Method"), ("place", "Task"), ("text", "Score")),
                        },
                        new ChartData([.. cells.Select(Row)])),
                    Text(false, "#ffffff"),
                    Text(true, "#101418"),
                ],
            });
    }

    private static ReportTable Table(ReportData data, (string Title, SparseAttentionResult[] Cells)[] panels)
    {
        string[] methods = [.. data.LooksOf(panels.SelectMany(p => p.Cells).Select(ReportData.Methods)).Select(l => l.Name)];
        return new ReportTable(
            "Mean scores (0 to 1); means over several runs of a cell where seeds, parameters or protocols differ.",
            [new("Task, prompt"), new("Where"), .. methods.Select(m => new ReportColumn(m, true))],
            [
                .. panels.SelectMany(p => p.Cells.GroupBy(Place).Select(place => (string[])
                [
                    place.Key,
                    p.Title,
                    .. methods.Select(m => place.Where(r => ReportData.Methods(r) == m).Select(r => r.Score!.Value).ToArray() is { Length: > 0 } scores
                        ? scores.Average().ToString("F3", CultureInfo.InvariantCulture)
                        : ""),
                ])),
            ]);
    }
}
