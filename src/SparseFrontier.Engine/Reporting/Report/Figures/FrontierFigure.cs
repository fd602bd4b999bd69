namespace SparseFrontier.Reporting.Report.Figures;

/// <summary>Score against cost with the frontier, its band, and every run's interval.</summary>
internal static class FrontierFigure
{
    public static ReportFigure Create(ReportData data)
    {
        IReadOnlyList<SparsityPoint>[] frontiers = [.. Frontiers(data)];
        return new ReportFigure
        {
            Id = "frontier",
            Title = "Frontier: what a cost buys",
            Lead = "Each mark is a run. The line joins the runs that no other beats in both cost and score; filled marks lie on it, hollow ones are beaten. "
                + "Bars are 95 % intervals of a run's mean score, the shaded band is the 95 % interval of the best score that a cost buys, from samples drawn anew for all runs together.",
            Legend = data.LooksOf(data.Points.Select(p => CellText.Methods(p.Method, p.DecodeMethod))),
            Panels = [.. frontiers.Select(f => Panel(data, f))],
            Missing = frontiers.Length == 0 ? "No run can be placed: none is completed, has a score, and attended as its method asks in all samples." : "",
            Table = frontiers.Length == 0 ? null : Table(data, frontiers),
        };
    }

    /// <summary>The points of each frontier.</summary>
    public static IEnumerable<IReadOnlyList<SparsityPoint>> Frontiers(ReportData data) => ReportData.FrontiersOf(data.Points);

    /// <summary>What a frontier is of, without its axes.</summary>
    public static string Place(ReportData data, SparsityPoint point) => point.Frontier + data.ProtocolOf(point.Task, point.SequenceLength, point.Protocol);

    private static ReportPanel Panel(ReportData data, IReadOnlyList<SparsityPoint> points)
    {
        SparsityPoint first = points[0];
        double highest = points.Max(p => p.Cost);
        SparsityPoint[] optimal = [.. points.Where(p => p.IsOptimal)];
        ChartChannel x = FigureParts.Positive("cost", AxisText.Of(first.CostName), points.Select(p => p.Cost));
        ChartChannel y = FigureParts.Score("score");
        IReadOnlyList<ChartChannel> tooltip = FigureParts.Tooltip(("method", "Method"), ("model", "Model"), ("sparsity", "Sparsity"), ("costText", "Cost"), ("scoreText", "Score"));
        object[] rows = [.. points.Select(Row)];
        List<ChartLayer> layers = [];
        if (points.Any(p => p.FrontierLow is not null))
        {
            layers.Add(new ChartLayer(
                new ChartMark("area") { Interpolate = "step-after", Fill = "var(--band)", Opacity = 1 },
                new ChartEncoding { X = x, Y = y with { Field = "low" }, Y2 = new ChartChannel { Field = "high" } },
                new ChartData([.. points.Where(p => p.FrontierLow is not null).Select(p => new { p.Cost, Low = p.FrontierLow, High = p.FrontierHigh })])));
        }

        layers.Add(new ChartLayer(
            new ChartMark("line") { Interpolate = "step-after", Color = "var(--ink)", StrokeWidth = 1.4 },
            new ChartEncoding { X = x, Y = y },
            new ChartData([.. optimal.Select(p => new { p.Cost, Score = p.Value }).Append(new { Cost = highest, Score = optimal[^1].Value })])));
        if (points.Any(p => p.ValueLow is not null))
        {
            layers.Add(new ChartLayer(
                new ChartMark("rule") { Opacity = 0.45, StrokeWidth = 1.4 },
                new ChartEncoding { X = x, Y = y with { Field = "low" }, Y2 = new ChartChannel { Field = "high" }, Color = FigureParts.Color(data) },
                new ChartData([.. points.Where(p => p.ValueLow is not null).Select(p => new { p.Cost, Low = p.ValueLow, High = p.ValueHigh, Method = CellText.Methods(p.Method, p.DecodeMethod) })])));
        }

        layers.Add(FigureParts.Points(data, x, y, [.. rows.Where((_, i) => !points[i].IsOptimal)], false, tooltip));
        layers.Add(FigureParts.Points(data, x, y, [.. rows.Where((_, i) => points[i].IsOptimal)], true, tooltip));
        if (first.ModelCount > 1)
        {
            layers.Add(new ChartLayer(
                new ChartMark("text") { Dy = -11, FontSize = 10, Fill = "var(--muted)" },
                new ChartEncoding { X = x, Y = y, Text = ChartChannel.Category("model") },
                new ChartData([.. rows.Where((_, i) => points[i].IsOptimal)])));
        }

        return new ReportPanel(
            $"{Place(data, first)}: by {AxisText.Name(first.CostName)}",
            new ChartSpecification
            {
                Description = $"Score against {AxisText.Of(first.CostName)}, {Place(data, first)}: {Counted.Of(points.Count, "run")}, {optimal.Length} of them on the frontier. The table holds the numbers.",
                Height = 270,
                Layer = layers,
            });
    }

    private static object Row(SparsityPoint point) => new
    {
        point.Cost,
        Score = point.Value,
        Method = CellText.Methods(point.Method, point.DecodeMethod),
        point.Model,
        Sparsity = Sparsity(point),
        CostText = AxisText.Amount(point.CostName, point.Cost),
        ScoreText = $"{CellText.Score(point.Value)} {CellText.Interval(point.ValueLow, point.ValueHigh)}".TrimEnd(),
    };

    private static string Sparsity(SparsityPoint point) => $"prefill {CellText.Fraction(point.PrefillSparsity)}, decode {CellText.Fraction(point.DecodeSparsity)}";

    private static ReportTable Table(ReportData data, IReadOnlyList<SparsityPoint>[] frontiers) => new(
        "Runs by cost, cheapest first. \"Sure\" is the share of the resampled results in which the run is on the frontier. A run that is on it by its cost alone scores hardly more than answers at random.",
        [
            new("Method"), new("Model"), new("Where"), new("Cost is"), new("Cost", true), new("Prefill sparsity", true), new("Decode sparsity", true), new("Score", true),
            new("95 %", true), new("On the frontier"), new("Sure", true), new("Beaten by"),
        ],
        [
            .. frontiers.SelectMany(f => f).Select(p => (string[])
            [
                CellText.Methods(p.Method, p.DecodeMethod), p.Model, Place(data, p), AxisText.Name(p.CostName), AxisText.Amount(p.CostName, p.Cost), CellText.Fraction(p.PrefillSparsity),
                CellText.Fraction(p.DecodeSparsity), CellText.Score(p.Value), CellText.Interval(p.ValueLow, p.ValueHigh), CellText.OnFrontier(p), CellText.Fraction(p.OptimalShare),
                p.DominatedBy?.Split(" [")[0] ?? "",
            ]),
        ]);
}
