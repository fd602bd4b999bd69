using SparseFrontier.Reporting;

namespace SparseFrontier.Cli.Output;

/// <summary>A column of a table.</summary>
/// <typeparam name="T">Type of the rows.</typeparam>
/// <param name="Header">Header.</param>
/// <param name="Cell">Text of a row's cell.</param>
/// <param name="Right">Whether it is right-aligned.</param>
internal sealed record Column<T>(string Header, Func<T, string> Cell, bool Right = false);

/// <summary>Plain-text tables of at most 100 columns: the last column is broken over lines.</summary>
internal static class TextTable
{
    private const int Width = 100;
    private const int Gap = 2;

    /// <summary>Writes a table.</summary>
    public static void Write<T>(TextWriter writer, IReadOnlyList<T> rows, params IReadOnlyList<Column<T>> columns)
    {
        string[][] cells = [.. rows.Select(r => columns.Select(c => VisibleText.Line(c.Cell(r))).ToArray())];
        int[] widths = [.. columns.Select((c, i) => cells.Select(r => r[i].Length).Append(c.Header.Length).Max())];
        int before = widths[..^1].Sum(w => w + Gap);
        widths[^1] = Math.Min(widths[^1], Math.Max(columns[^1].Header.Length, Math.Max(20, Width - before)));
        WriteRow(writer, [.. columns.Select(c => c.Header)], widths, columns);
        WriteRow(writer, [.. widths.Select(w => new string('-', w))], widths, columns);
        foreach (string[] row in cells)
        {
            WriteRow(writer, row, widths, columns);
        }
    }

    private static void WriteRow<T>(TextWriter writer, string[] cells, int[] widths, IReadOnlyList<Column<T>> columns)
    {
        int before = widths[..^1].Sum(w => w + Gap);
        string start = string.Concat(cells[..^1].Select((cell, i) => (columns[i].Right ? cell.PadLeft(widths[i]) : cell.PadRight(widths[i])) + new string(' ', Gap)));
        foreach (string line in CellText.Lines(cells[^1], widths[^1]))
        {
            writer.WriteLine((start + (columns[^1].Right ? line.PadLeft(widths[^1]) : line)).TrimEnd());
            start = new string(' ', before);
        }
    }
}
