using System.Globalization;
using SparseFrontier.Attention;

namespace SparseFrontier.Reporting.Report.Figures;

/// <summary>How scores of one asked sparsity change with the length of the prompt, dense attention beside them.</summary>
internal static class LengthFigure
{
    public static ReportFigure Create(ReportData data)
    {
        SparseAttentionResult[] rows = [.. data.Scored];
        var cells = rows.GroupBy(r => (r.Model, r.Task)).Where(g => g.Select(r => r.SequenceLength).Distinct().Count() > 1).ToArray();
        List<(string Title, SparseAttentionResult[] Rows)> panels = [];
        foreach (var cell in cells)
        {
            SparseAttentionResult[] dense = [.. cell.Where(IsDense)];
            foreach (var asked in cell.Where(r => !IsDense(r)).GroupBy(Asked).OrderBy(g => g.Key, StringComparer.Ordinal))
            {
                if (asked.GroupBy(ReportData.Methods).Any(g => g.Select(r => r.SequenceLength).Distinct().Count() > 1))
                {
                    panels.Add(($"{cell.Key.Task}, {cell.Key.Model}, {asked.Key}", [.. dense, .. asked]));
                }
            }
        }

        string lengths = string.Join(", ", rows.Select(r => r.SequenceLength).Distinct().Order().Select(l => l.ToString(CultureInfo.InvariantCulture)));
        return new ReportFigure
        {
            Id = "length",
            Title = "Length: what longer prompts change",
            Lead = "Lines join the mean scores of one method at the sparsity asked for, bars are 95 % intervals; methods of one length stand a little apart to be seen. Dense attention is the line to compare with.",
            Legend = data.LooksOf(panels.SelectMany(p => p.Rows).Select(ReportData.Methods)),
            Panels = [.. panels.Select(p => Panel(data, p.Title, p.Rows))],
            Missing = panels.Count > 0 ? "" : rows.Length == 0 ? "No completed run has a score." : $"A line needs two lengths of one method, task and sparsity; the runs have {lengths} tokens.",
            Table = panels.Count > 0 ? Table(panels) : null,
        };
    }

    private static bool IsDense(SparseAttentionResult row) => MethodRegistry.IsDense(row.Method) && MethodRegistry.IsDense(row.DecodeMethod);

    private static string Asked(SparseAttentionResult row) => CellText.Requested(row.RequestedSparsity, row.RequestedDecodeSparsity) is var asked && asked == "-"
        ? $"budget {row.Parameters} {row.DecodeParameters}".TrimEnd()
        : $"sparsity {asked}";

    private static ReportPanel Panel(ReportData data, string title, SparseAttentionResult[] rows)
    {
        double[] lengths = [.. rows.Select(r => (double)r.SequenceLength).Distinct().Order()];
        ChartChannel x = ChartChannel.Quantity("length") with
        {
            Scale = new ChartScale { Type = "log", Nice = false, Padding = 18 },
            Axis = new ChartAxis { Title = "prompt (tokens)", Values = lengths, Format = "d", Grid = false },
        };
        ChartChannel y = FigureParts.Score("score");
        // Methods stand a little apart, so that their intervals do not cover one another.
        IReadOnlyList<MethodLook> looks = data.LooksOf(rows.Select(ReportData.Methods));
        double Apart(SparseAttentionResult row) => 1 + (0.012 * (looks.TakeWhile(l => l.Name != ReportData.Methods(row)).Count() - ((looks.Count - 1) / 2.0)));
        object[] marks =
        [
            .. rows.Select(r => new
            {
                Length = r.SequenceLength * Apart(r),
                Tokens = r.SequenceLength.ToString(CultureInfo.InvariantCulture),
                r.Score,
                Low = r.ScoreLow,
                High = r.ScoreHigh,
                Method = ReportData.Methods(r),
                ScoreText = $"{CellText.Score(r.Score)} {CellText.Interval(r.ScoreLow, r.ScoreHigh)}".TrimEnd(),
                Samples = r.SampleCount.ToString(CultureInfo.InvariantCulture),
            }),
        ];
        return new ReportPanel(
            title,
            new ChartSpecification
            {
                Description = $"Score against prompt length, {title}: {Counted.Of(rows.Length, "run")}. The table holds the numbers.",
                Height = 240,
                Layer =
                [
                    new ChartLayer(
                        new ChartMark("rule") { Opacity = 0.35, StrokeWidth = 1.4 },
                        new ChartEncoding { X = x, Y = y with { Field = "low" }, Y2 = new ChartChannel { Field = "high" }, Color = FigureParts.Color(data) },
                        new ChartData(marks)),
                    new ChartLayer(new ChartMark("line") { StrokeWidth = 1.6 }, new ChartEncoding { X = x, Y = y, Color = FigureParts.Color(data) }, new ChartData(marks)),
                    FigureParts.Points(data, x, y, marks, true, FigureParts.Tooltip(("method", "Method"), ("tokens", "Tokens"), ("scoreText", "Score"), ("samples", "Samples"))),
                ],
            });
    }

    private static ReportTable Table(List<(string Title, SparseAttentionResult[] Rows)> panels) => new(
        "Scores by length.",
        [new("Method"), new("Where"), new("Tokens", true), new("Score", true), new("95 %", true), new("Samples", true)],
        [
            .. panels.SelectMany(p => p.Rows.Select(r => (string[])
            [
                ReportData.Methods(r), p.Title, r.SequenceLength.ToString(CultureInfo.InvariantCulture), CellText.Score(r.Score), CellText.Interval(r.ScoreLow, r.ScoreHigh),
                r.SampleCount.ToString(CultureInfo.InvariantCulture),
            ])),
        ]);
}
