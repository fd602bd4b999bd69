namespace SparseFrontier.Reporting.Report.Figures;

/// <summary>What figures share: methods have one colour and one shape in all of them.</summary>
internal static class FigureParts
{
    /// <summary>Diameter-squared of a mark, in pixels.</summary>
    public const double MarkSize = 95;

    /// <summary>The score's axis, from 0 to 1 in every figure.</summary>
    public static ChartChannel Score(string field) => ChartChannel.Quantity(field) with
    {
        Scale = new ChartScale { Domain = [0, 1] },
        Axis = new ChartAxis { Title = AxisText.Of(nameof(SparseAttentionResult.Score)), TickCount = 5 },
    };

    /// <summary>Sparsity, from 0 to 1.</summary>
    public static ChartChannel Sparsity(string field, string title) => ChartChannel.Quantity(field) with
    {
        Scale = new ChartScale { Domain = [0, 1] },
        Axis = new ChartAxis { Title = title, TickCount = 5, Format = ".1~f" },
    };

    /// <summary>An axis of numbers above 0: of equal factors where they differ much, of equal distances where they do not.</summary>
    public static ChartChannel Positive(string field, string title, IEnumerable<double> values)
    {
        // Shares are written as such: "0.2", where SI prefixes would say "200m".
        double[] sorted = [.. values.Order()];
        bool logarithmic = sorted.Length > 0 && sorted[0] > 0 && sorted[^1] / sorted[0] > 4;
        return ChartChannel.Quantity(field) with
        {
            Scale = logarithmic ? new ChartScale { Type = "log", Padding = 14, Nice = false } : new ChartScale { Zero = false, Padding = 14, Nice = false },
            Axis = new ChartAxis { Title = title, Format = sorted.Length > 0 && sorted[^1] <= 1 ? "~g" : "~s", TickCount = 5, Grid = false },
        };
    }

    /// <summary>The colour of a method: a variable of the page, which knows whether its ground is light or dark.</summary>
    public static ChartChannel Color(ReportData data) => ChartChannel.Category("method") with { Scale = Looks(data, i => ColorVariable(i)) };

    /// <summary>The shape of a method.</summary>
    public static ChartChannel Shape(ReportData data) => ChartChannel.Category("method") with { Scale = Looks(data, i => data.Looks[i].Shape) };

    /// <summary>The colour of the method of an index, for style sheets.</summary>
    public static string ColorVariable(int index) => FormattableString.Invariant($"var(--method-{index})");

    /// <summary>What a mark says when it is pointed at.</summary>
    public static IReadOnlyList<ChartChannel> Tooltip(params (string Field, string Title)[] fields) =>
        [.. fields.Select(f => ChartChannel.Category(f.Field) with { Title = f.Title })];

    /// <summary>Marks of methods at a place.</summary>
    public static ChartLayer Points(ReportData data, ChartChannel x, ChartChannel y, IReadOnlyList<object> rows, bool filled, IReadOnlyList<ChartChannel> tooltip) => new(
        new ChartMark("point") { Filled = filled, Size = MarkSize, StrokeWidth = 1.6, Opacity = 1, Fill = filled ? null : "var(--ground)" },
        new ChartEncoding { X = x, Y = y, Color = filled ? Color(data) : null, Stroke = filled ? null : Color(data), Shape = Shape(data), Tooltip = tooltip },
        new ChartData(rows));

    /// <summary>A line across the chart at a value.</summary>
    public static ChartLayer Level(double value, ChartChannel y) => new(
        new ChartMark("rule") { Color = "var(--muted)", StrokeDash = [4, 3] }, new ChartEncoding { Y = y with { Field = "level" } }, new ChartData([new { Level = value }]));

    private static ChartScale Looks(ReportData data, Func<int, object> value) => new()
    {
        Domain = [.. data.Looks.Select(l => l.Name)],
        Range = Enumerable.Range(0, data.Looks.Count).Select(value).ToArray(),
    };
}
