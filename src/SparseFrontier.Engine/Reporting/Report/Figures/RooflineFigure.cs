using System.Globalization;

namespace SparseFrontier.Reporting.Report.Figures;

/// <summary>Where the kernels stand under the machine's limits: operations a second against operations a byte.</summary>
internal static class RooflineFigure
{
    private sealed record Mark(string Device, string Phase, string Method, int Length, double? Sparsity, double Intensity, double Speed, double? Share);

    public static ReportFigure Create(ReportData data)
    {
        Mark[] marks = [.. data.Kernels.Select(Place).OfType<Mark>()];
        return new ReportFigure
        {
            Id = "roofline",
            Title = "Roofline: how close kernels come to the machine",
            Lead = "Each mark is one attention layer. The sloping line is what reading memory allows, the level one what multiply-adds allow, both measured in the same runs as the kernels. "
                + "A decode step counts the bytes that it reads; a prefill, which could keep all in caches, the least it must move: queries, keys, values and output once. Choosing is left out of a prefill's time.",
            Legend = data.LooksOf(marks.Select(m => m.Method)),
            Panels = [.. marks.GroupBy(m => m.Device).Select(g => Panel(data, g.Key, [.. g]))],
            Missing = marks.Length > 0 ? "" : "No kernel was timed: give the report the rows of `sparsefrontier kernels measure --json` or Measure-SparseKernel.",
            Table = marks.Length > 0 ? Table(marks) : null,
        };
    }

    // Two products of 2 · dimension operations a pair of query and key.
    private static Mark? Place(KernelMeasurement row)
    {
        double heads = row.QueryHeads;
        if (row is { GigaOperationsPerSecond: > 0 and { } giga, AttentionMilliseconds: { } attention })
        {
            double bytes = 2.0 * sizeof(float) * row.SequenceLength * row.HeadDimension * (heads + row.KvHeads);
            return new Mark(row.Device, row.Phase, row.Method, row.SequenceLength, row.Sparsity, giga * attention * 1e6 / bytes, giga * 1e9, row.RoofShare);
        }

        if (row is { GigaBytesPerSecond: > 0 and { } read, TotalMilliseconds: > 0 and { } total })
        {
            double operations = 4.0 * row.HeadDimension * heads * row.SequenceLength * (1 - (row.Sparsity ?? 0));
            return new Mark(row.Device, row.Phase, row.Method, row.SequenceLength, row.Sparsity, operations / (read * total * 1e6), operations / (total * 1e-3), row.RoofShare);
        }

        return null;
    }

    private static ReportPanel Panel(ReportData data, string device, Mark[] marks)
    {
        KernelMeasurement[] rows = [.. data.Kernels.Where(k => k.Device == device && k.RoofShare > 0)];
        double? peak = Median(rows.Select(k => k.GigaOperationsPerSecond * 1e9 / k.RoofShare));
        double? bandwidth = Median(rows.Select(k => k.GigaBytesPerSecond * 1e9 / k.RoofShare));
        double low = marks.Min(m => m.Intensity) / 2;
        double high = Math.Max(marks.Max(m => m.Intensity), peak / bandwidth ?? 0) * 2;
        ChartChannel x = ChartChannel.Quantity("intensity") with
        {
            Scale = new ChartScale { Type = "log", Domain = [low, high], Nice = false },
            Axis = new ChartAxis { Title = "operations a byte (FLOP/B)", Format = "~s", TickCount = 6, Grid = false },
        };
        ChartChannel y = ChartChannel.Quantity("speed") with
        {
            Scale = new ChartScale { Type = "log", Nice = false, Padding = 14 },
            Axis = new ChartAxis { Title = "speed (FLOP/s)", Format = "~s", TickCount = 5 },
        };
        object[] points =
        [
            .. marks.Select(m => new
            {
                m.Intensity,
                m.Speed,
                m.Method,
                m.Phase,
                Tokens = m.Length.ToString(CultureInfo.InvariantCulture),
                SparsityText = CellText.Fraction(m.Sparsity),
                Share = m.Share is { } s ? $"{CellText.Percent(s)} %" : "-",
            }),
        ];
        List<ChartLayer> layers = [];
        object[] roof = Roof(low, high, peak, bandwidth);
        if (roof.Length > 0)
        {
            layers.Add(new ChartLayer(new ChartMark("line") { Color = "var(--ink)", StrokeWidth = 1.4, Clip = true }, new ChartEncoding { X = x, Y = y }, new ChartData(roof)));
        }

        layers.Add(FigureParts.Points(
            data, x, y, points, true, FigureParts.Tooltip(("method", "Method"), ("phase", "Phase"), ("tokens", "Tokens"), ("sparsityText", "Sparsity"), ("share", "Of the limit"))));
        string limits = $"{(peak is { } p ? $"multiply-adds {CellText.Amount(p)}FLOP/s" : "")}{(peak is not null && bandwidth is not null ? ", " : "")}{(bandwidth is { } b ? $"reading {CellText.Amount(b)}B/s" : "")}";
        string title = limits.Length > 0 ? $"{device}: {limits}" : device;
        return new ReportPanel(
            title,
            new ChartSpecification { Description = $"Roofline of {title}: {Counted.Of(marks.Length, "kernel")}. The table holds the numbers.", Height = 280, Layer = layers });
    }

    private static object[] Roof(double low, double high, double? peak, double? bandwidth)
    {
        double[] corners = peak / bandwidth is { } knee && knee > low && knee < high ? [low, knee, high] : [low, high];
        return peak is null && bandwidth is null
            ? []
            : [.. corners.Select(c => new { Intensity = c, Speed = Math.Min(peak ?? double.MaxValue, (bandwidth * c) ?? double.MaxValue) })];
    }

    private static double? Median(IEnumerable<double?> values)
    {
        double[] sorted = [.. values.OfType<double>().Order()];
        return sorted.Length == 0 ? null : (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    private static ReportTable Table(Mark[] marks) => new(
        "Kernels under the limits of their machine.",
        [new("Method"), new("Phase"), new("Device"), new("Tokens", true), new("Sparsity", true), new("FLOP/B", true), new("FLOP/s", true), new("Of the limit", true)],
        [
            .. marks.Select(m => (string[])
            [
                m.Method, m.Phase, m.Device, m.Length.ToString(CultureInfo.InvariantCulture), CellText.Fraction(m.Sparsity), m.Intensity.ToString("G3", CultureInfo.InvariantCulture),
                CellText.Amount(m.Speed), m.Share is { } share ? $"{CellText.Percent(share)} %" : "-",
            ]),
        ]);
}
