using System.Globalization;

namespace SparseFrontier.Reporting.Report.Figures;

/// <summary>The largest sparsity that each method is shown to tolerate.</summary>
internal static class ToleranceFigure
{
    public static ReportFigure Create(ReportData data)
    {
        IReadOnlyList<SparsityTolerance> rows = data.Tolerances;
        return new ReportFigure
        {
            Id = "tolerance",
            Title = "Tolerance: how far a method is shown to go",
            Lead = (rows.Count > 0 ? $"The rule: {Rule(rows[0])}, at this sparsity and at every lower tested one. " : "")
                + "A filled mark is the largest sparsity that the samples show to be tolerated; a hollow one the lowest tested sparsity at which they do not show it. A method without a filled "
                + "mark is not shown to tolerate any tested sparsity, which is not the same as being shown to lose more.",
            Legend = data.LooksOf(rows.Select(Methods)),
            Panels = [.. rows.GroupBy(r => Place(data, r)).Select(g => Panel(data, g.Key, [.. g]))],
            Missing = rows.Count > 0
                ? ""
                : "Nothing can be tested: that needs dense and sparse runs of the same model, task, length and seed whose samples are on this disk.",
            Table = rows.Count > 0 ? Table(data, rows) : null,
        };
    }

    /// <summary>The margin and its confidence in words.</summary>
    public static string Rule(SparsityTolerance row) => CellText.ToleranceHeading(row)[$"{row.Model}: largest sparsity, ".Length..];

    private static string Methods(SparsityTolerance row) => CellText.Methods(row.Method, row.DecodeMethod);

    private static string Place(ReportData data, SparsityTolerance row) =>
        FormattableString.Invariant($"{row.Task} at {row.SequenceLength} tokens, {row.Model}") + data.ProtocolOf(row.Task, row.SequenceLength, row.Protocol);

    private static ReportPanel Panel(ReportData data, string place, SparsityTolerance[] rows)
    {
        // Several series of one method are told apart by what they hold fixed.
        string Label(SparsityTolerance row) => rows.Count(r => Methods(r) == Methods(row)) == 1
            ? Methods(row)
            : $"{Methods(row)} {(row.DecodeSparsity is { } decode ? $"decode {CellText.Fraction(decode)} " : "")}{row.Parameters}".TrimEnd();
        ChartChannel y = ChartChannel.Category("label") with
        {
            Scale = new ChartScale { Domain = [.. rows.Select(Label).Distinct()] },
            Axis = new ChartAxis { Title = "", Grid = true, Ticks = false, Domain = false, LabelLimit = 190 },
        };
        ChartChannel x = FigureParts.Sparsity("sparsity", "sparsity of the sparse phase (share left out)");
        object[] established = [.. rows.Where(r => r.ToleratedSparsity is not null).Select(r => Mark(Label(r), r, r.ToleratedSparsity, r.Loss, r.LossHigh))];
        object[] open = [.. rows.Where(r => r.NextSparsity is not null).Select(r => Mark(Label(r), r, r.NextSparsity, r.NextLoss, r.NextLossHigh))];
        IReadOnlyList<ChartChannel> tooltip = FigureParts.Tooltip(("method", "Method"), ("sparsityText", "Sparsity"), ("loss", "Mean loss"), ("lossHigh", "Loss at most"), ("samples", "Samples"));
        return new ReportPanel(
            place,
            new ChartSpecification
            {
                Description = $"Tolerated sparsity of {Counted.Of(rows.Length, "method")}, {place}: established for {established.Length}. The table holds the numbers.",
                Height = 28 * rows.Select(Label).Distinct().Count(),
                Layer =
                [
                    new ChartLayer(
                        new ChartMark("rule") { StrokeWidth = 2 },
                        new ChartEncoding { X = x with { Field = "zero" }, X2 = new ChartChannel { Field = "sparsity" }, Y = y, Color = FigureParts.Color(data) },
                        new ChartData(established)),
                    FigureParts.Points(data, x, y, open, false, tooltip),
                    FigureParts.Points(data, x, y, established, true, tooltip),
                ],
            });
    }

    private static object Mark(string label, SparsityTolerance row, double? sparsity, double? loss, double? high) => new
    {
        Label = label,
        Method = Methods(row),
        Zero = 0,
        Sparsity = sparsity,
        SparsityText = CellText.Fraction(sparsity),
        Loss = CellText.Score(loss),
        LossHigh = CellText.Score(high),
        Samples = row.SampleCount.ToString(CultureInfo.InvariantCulture),
    };

    private static ReportTable Table(ReportData data, IReadOnlyList<SparsityTolerance> rows) => new(
        $"{Rule(rows[0])}. Losses are means over samples paired with the dense run's, with their one-sided bounds.",
        [
            new("Method"), new("Where"), new("Tolerated sparsity", true), new("Loss there", true), new("At most", true), new("Next tested", true), new("Loss there", true), new("At most", true),
            new("Samples", true), new("What stands in the way of more"),
        ],
        [
            .. rows.Select(r => (string[])
            [
                Methods(r), Place(data, r), r.ToleratedSparsity is null ? "not established" : CellText.Fraction(r.ToleratedSparsity), CellText.Score(r.Loss), CellText.Score(r.LossHigh),
                CellText.Fraction(r.NextSparsity), CellText.Score(r.NextLoss), CellText.Score(r.NextLossHigh), r.SampleCount.ToString(CultureInfo.InvariantCulture), r.Message,
            ]),
        ]);
}
