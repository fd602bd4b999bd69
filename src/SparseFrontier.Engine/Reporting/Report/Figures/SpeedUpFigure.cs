using System.Globalization;
using SparseFrontier.Attention;

namespace SparseFrontier.Reporting.Report.Figures;

/// <summary>How much faster a method is than dense attention, against the sparsity that it reached: from timed layers where there are some, else from the seconds of the runs, of generation where they stepped alone.</summary>
internal static class SpeedUpFigure
{
    private sealed record Mark(string Panel, string Method, double Sparsity, double SpeedUp, string Time, string DenseTime);

    public static ReportFigure Create(ReportData data)
    {
        bool timed = data.Kernels.Any(k => !MethodRegistry.IsDense(k.Method));
        Mark[] marks = [.. (timed ? FromKernels(data.Kernels) : FromRuns(data)).Where(m => double.IsFinite(m.SpeedUp))];
        return new ReportFigure
        {
            Id = "speed-up",
            Title = "Speed-up: what sparsity gains in time",
            Lead = (timed
                    ? "One attention layer, choosing included, timed beside dense attention in the same run; medians. "
                    : "Seconds of the runs themselves, model and all, dense over sparse: means over samples that were not timed alone, so small differences mean nothing; of generation where no other run shared the steps. "
                        + "`sparsefrontier kernels measure` times attention by itself; give its rows to the report for that. ")
                + "Above the dashed line at 1 a method is faster than dense attention; the dotted curve is 1 / (1 - sparsity), the factor by which what attention attends to shrinks.",
            Legend = data.LooksOf(marks.Select(m => m.Method)),
            Panels = [.. marks.GroupBy(m => m.Panel).Select(g => Panel(data, g.Key, [.. g]))],
            Missing = marks.Length > 0 ? "" : "Nothing to compare: that needs a sparse run and a dense run of the same model, task, length and device with measured seconds (of generation: of runs that stepped alone, `--batch 1`), or rows of `sparsefrontier kernels measure`.",
            Table = marks.Length > 0 ? Table(marks, timed) : null,
        };
    }

    private static IEnumerable<Mark> FromKernels(IReadOnlyList<KernelMeasurement> rows) =>
        from row in rows
        where !MethodRegistry.IsDense(row.Method) && row.Sparsity is not null
        let shape = CellText.KernelShape(row)
        select new Mark(
            FormattableString.Invariant($"{shape}, {row.SequenceLength} tokens"), row.Method, row.Sparsity!.Value, row.SpeedUp!.Value, $"{CellText.Milliseconds(row.TotalMilliseconds)} ms",
            $"{CellText.Milliseconds(row.TotalMilliseconds * row.SpeedUp)} ms");

    private static IEnumerable<Mark> FromRuns(ReportData data)
    {
        foreach (var cell in data.Scored.GroupBy(r => (Place: data.Place(r), r.Device, r.Seed)))
        {
            if (cell.FirstOrDefault(r => MethodRegistry.IsDense(r.Method) && MethodRegistry.IsDense(r.DecodeMethod)) is not { } dense)
            {
                continue;
            }

            foreach ((string phase, Func<SparseAttentionResult, string> method, Func<SparseAttentionResult, double?> sparsity, Func<SparseAttentionResult, double?> seconds) in Phases())
            {
                foreach (SparseAttentionResult row in cell.Where(r => !MethodRegistry.IsDense(method(r))))
                {
                    if (sparsity(row) is { } reached && seconds(row) is > 0 and { } own && seconds(dense) is > 0 and { } full)
                    {
                        yield return new Mark($"{phase}: {cell.Key.Place} on {cell.Key.Device}", ReportData.Methods(row), reached, full / own, Seconds(own), Seconds(full));
                    }
                }
            }
        }

        static string Seconds(double seconds) => $"{CellText.Milliseconds(seconds * 1e3)} ms";
    }

    private static IEnumerable<(string Phase, Func<SparseAttentionResult, string> Method, Func<SparseAttentionResult, double?> Sparsity, Func<SparseAttentionResult, double?> Seconds)> Phases() =>
    [
        ("Prefill", r => r.Method, r => r.PrefillSparsity, r => r.PrefillSeconds),
        ("Decode, a token", r => r.DecodeMethod, r => r.DecodeSparsity, r => r.OwnSecondsPerToken),
    ];

    private static ReportPanel Panel(ReportData data, string title, Mark[] marks)
    {
        double top = Math.Max(1.25, marks.Max(m => m.SpeedUp) * 1.12);
        ChartChannel x = FigureParts.Sparsity("sparsity", "sparsity reached (share left out)");
        ChartChannel y = ChartChannel.Quantity("speedUp") with
        {
            Scale = new ChartScale { Domain = [0, top], Nice = false },
            Axis = new ChartAxis { Title = "speed-up (dense time / method's time)", TickCount = 5 },
        };
        object[] rows = [.. marks.Select(m => new { m.Method, m.Sparsity, m.SpeedUp, Text = CellText.Factor(m.SpeedUp), SparsityText = CellText.Fraction(m.Sparsity), m.Time, m.DenseTime })];
        object[] ideal = [.. Enumerable.Range(0, 100).Select(i => i / 100.0).Where(s => 1 / (1 - s) <= top).Select(s => new { Sparsity = s, SpeedUp = 1 / (1 - s) })];
        return new ReportPanel(
            title,
            new ChartSpecification
            {
                Description = $"Speed-up against sparsity, {title}: {Counted.Of(marks.Length, "measurement")} from {CellText.Factor(marks.Min(m => m.SpeedUp))} to {CellText.Factor(marks.Max(m => m.SpeedUp))}. The table holds the numbers.",
                Height = 240,
                Layer =
                [
                    FigureParts.Level(1, y),
                    new ChartLayer(new ChartMark("line") { Color = "var(--muted)", StrokeDash = [1, 3], Clip = true }, new ChartEncoding { X = x, Y = y }, new ChartData(ideal)),
                    new ChartLayer(new ChartMark("line") { StrokeWidth = 1.3, Opacity = 0.7 }, new ChartEncoding { X = x, Y = y, Color = FigureParts.Color(data) }, new ChartData(rows)),
                    FigureParts.Points(
                        data, x, y, rows, true, FigureParts.Tooltip(("method", "Method"), ("sparsityText", "Sparsity"), ("text", "Speed-up"), ("time", "Time"), ("denseTime", "Dense"))),
                ],
            });
    }

    private static ReportTable Table(Mark[] marks, bool timed) => new(
        timed ? "Median times of one layer, choosing included, and dense attention's over them." : "Mean times of the runs, and the dense run's over them.",
        [new("Method"), new("Where"), new("Sparsity", true), new("Time", true), new("Dense", true), new("Speed-up", true), new("1 / (1 - sparsity)", true)],
        [
            .. marks.Select(m => (string[])
            [
                m.Method, m.Panel, m.Sparsity.ToString("F3", CultureInfo.InvariantCulture), m.Time, m.DenseTime, CellText.Factor(m.SpeedUp), m.Sparsity < 1 ? CellText.Factor(1 / (1 - m.Sparsity)) : "-",
            ]),
        ]);
}
