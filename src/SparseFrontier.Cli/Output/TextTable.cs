namespace SparseFrontier.Cli.Output;

/// <summary>A column of a table.</summary>
/// <typeparam name="T">Type of the rows.</typeparam>
/// <param name="Header">Header.</param>
/// <param name="Cell">Text of a row's cell.</param>
/// <param name="Right">Whether it is right-aligned.</param>
internal sealed record Column<T>(string Header, Func<T, string> Cell, bool Right = false);

/// <summary>Plain-text tables of at most 100 columns: the last column gives way.</summary>
internal static class TextTable
{
    private const int Width = 100;

    /// <summary>Writes a table.</summary>
    public static void Write<T>(TextWriter writer, IReadOnlyList<T> rows, params IReadOnlyList<Column<T>> columns)
    {
        string[][] cells = [.. rows.Select(r => columns.Select(c => c.Cell(r)).ToArray())];
        int[] widths = [.. columns.Select((c, i) => cells.Select(r => r[i].Length).Append(c.Header.Length).Max())];
        int before = widths[..^1].Sum(w => w + 2);
        widths[^1] = Math.Min(widths[^1], Math.Max(columns[^1].Header.Length, Width - before));
        writer.WriteLine(Line([.. columns.Select(c => c.Header)], widths, columns));
        writer.WriteLine(Line([.. widths.Select(w => new string('-', w))], widths, columns));
        foreach (string[] row in cells)
        {
            writer.WriteLine(Line(row, widths, columns));
        }
    }

    private static string Line<T>(string[] cells, int[] widths, IReadOnlyList<Column<T>> columns) =>
        string.Join("  ", cells.Select((cell, i) => Pad(cell, widths[i], columns[i].Right))).TrimEnd();

    private static string Pad(string cell, int width, bool right) =>
        cell.Length > width ? $"{cell[..(width - 1)]}\u2026" : right ? cell.PadLeft(width) : cell.PadRight(width);
}
