using System.Globalization;

namespace SparseFrontier.Reporting.Terminal;

/// <summary>
/// A heat map in shades of grey characters, such as an attention mask with a row a query and a column a key. What is larger than the terminal is shown by the means of
/// equal parts; what has no value stays blank, so that a causal mask shows its triangle.
/// </summary>
public sealed class TerminalHeatMap
{
    // From nothing to everything. The lowest is not blank: blank means that there is no value.
    private const string UnicodeShades = "·░▒▓█";
    private const string AsciiShades = ".:+#@";

    /// <summary>Heading.</summary>
    public string Title { get; init; } = "";

    /// <summary>Number of rows, from the top down.</summary>
    public required int Rows { get; init; }

    /// <summary>Number of columns.</summary>
    public required int Columns { get; init; }

    /// <summary>The value at a row and a column; null where there is none.</summary>
    public required Func<int, int, double?> Value { get; init; }

    /// <summary>What the rows are, with their unit: "query token".</summary>
    public string RowLabel { get; init; } = "";

    /// <summary>What the columns are, with their unit: "key token".</summary>
    public string ColumnLabel { get; init; } = "";

    /// <summary>What the values are, with their unit: "share of heads that attend".</summary>
    public string ValueLabel { get; init; } = "";

    /// <summary>The value of the lightest shade.</summary>
    public double Minimum { get; init; }

    /// <summary>The value of the darkest shade; without it the largest mean shown.</summary>
    public double? Maximum { get; init; }

    /// <summary>Lines of the map at most; without it half the columns shown, since characters are twice as high as wide.</summary>
    public int? Height { get; init; }

    /// <summary>The lines of the map, none wider than the terminal.</summary>
    public IReadOnlyList<string> Render(TerminalCapabilities terminal)
    {
        ArgumentNullException.ThrowIfNull(terminal);
        ArgumentOutOfRangeException.ThrowIfLessThan(Rows, 1, nameof(Rows));
        ArgumentOutOfRangeException.ThrowIfLessThan(Columns, 1, nameof(Columns));
        string shades = terminal.Unicode ? UnicodeShades : AsciiShades;
        int left = (Rows - 1).ToString(CultureInfo.InvariantCulture).Length + 1;
        int width = Math.Min(Columns, terminal.Width - left - 1);
        int height = Math.Min(Rows, Math.Max(1, Height ?? Math.Max(1, (width + 1) / 2)));
        double?[,] means = Means(width, height);
        double maximum = Maximum ?? means.Cast<double?>().Max() ?? 1;

        var lines = new List<string>();
        lines.AddRange(((string[])[Title, RowLabel.Length > 0 ? $"{RowLabel} (down), {ColumnLabel} (across)" : ColumnLabel]).Where(t => t.Length > 0).Select(t => Clip(t, terminal.Width)));
        for (int row = 0; row < height; row++)
        {
            string label = row == 0 || row == height - 1 || row == height / 2 ? First(row, height, Rows).ToString(CultureInfo.InvariantCulture) : "";
            char[] line = [.. Enumerable.Range(0, width).Select(column => Shade(means[row, column], maximum, shades))];
            lines.Add($"{label.PadLeft(left - 1)} {new string(line)}".TrimEnd());
        }

        string last = (Columns - 1).ToString(CultureInfo.InvariantCulture);
        lines.Add(new string(' ', left) + (width > last.Length + 1 ? "0" + last.PadLeft(width - 1) : "0"));
        string scale = string.Join("  ", shades.Select((s, i) => $"{s} {Text(Minimum + ((maximum - Minimum) * i / (shades.Length - 1)))}"));
        lines.Add(Clip(ValueLabel.Length > 0 ? $"{ValueLabel}: {scale}" : scale, terminal.Width));
        return lines;
    }

    private static string Text(double value) => value.ToString("G3", CultureInfo.CurrentCulture);

    private static string Clip(string text, int width)
    {
        text = VisibleText.Line(text);
        return text.Length <= width ? text : text[..width];
    }

    private static int First(int part, int parts, int count) => (int)((long)part * count / parts);

    private char Shade(double? value, double maximum, string shades)
    {
        if (value is not { } number)
        {
            return ' ';
        }

        double share = maximum > Minimum ? Math.Clamp((number - Minimum) / (maximum - Minimum), 0, 1) : number > Minimum ? 1 : 0;

        // Little is not nothing: only the minimum itself has the lightest shade.
        return shades[share <= 0 ? 0 : Math.Max(1, (int)Math.Round(share * (shades.Length - 1)))];
    }

    private double?[,] Means(int width, int height)
    {
        double?[,] means = new double?[height, width];
        for (int row = 0; row < height; row++)
        {
            for (int column = 0; column < width; column++)
            {
                double sum = 0;
                long count = 0;
                for (int i = First(row, height, Rows); i < First(row + 1, height, Rows); i++)
                {
                    for (int j = First(column, width, Columns); j < First(column + 1, width, Columns); j++)
                    {
                        if (Value(i, j) is { } value)
                        {
                            sum += value;
                            count++;
                        }
                    }
                }

                means[row, column] = count > 0 ? sum / count : null;
            }
        }

        return means;
    }
}
