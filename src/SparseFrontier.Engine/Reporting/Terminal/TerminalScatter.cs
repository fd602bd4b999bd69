namespace SparseFrontier.Reporting.Terminal;

/// <summary>A point of a chart in characters.</summary>
/// <param name="X">Horizontal value.</param>
/// <param name="Y">Vertical value.</param>
/// <param name="IsDim">Whether it stands back: shown in lower case, dim where there are colours.</param>
public readonly record struct TerminalPoint(double X, double Y, bool IsDim = false);

/// <summary>Points that share a letter and a colour.</summary>
/// <param name="Name">Name in the legend.</param>
/// <param name="Letter">A capital letter; lower case for points that stand back.</param>
/// <param name="Points">Points.</param>
/// <param name="Color">Colour of a terminal's 256; null for none.</param>
public sealed record TerminalSeries(string Name, char Letter, IReadOnlyList<TerminalPoint> Points, int? Color = null);

/// <summary>
/// A scatter chart in characters, readable without colour: a letter a series, capitals for what stands out and lower case for the rest, axes with ticks and
/// units, and a line of steps where one is wanted.
/// </summary>
public sealed class TerminalScatter
{
    /// <summary>Heading.</summary>
    public string Title { get; init; } = "";

    /// <summary>Horizontal axis.</summary>
    public required TerminalAxis X { get; init; }

    /// <summary>Vertical axis.</summary>
    public required TerminalAxis Y { get; init; }

    /// <summary>Series; later ones lie above earlier ones, points that stand back beneath all others.</summary>
    public required IReadOnlyList<TerminalSeries> Series { get; init; }

    /// <summary>Corners of a line of steps, by ascending X: level from each until the next, and from the last to the edge. Empty: none.</summary>
    public IReadOnlyList<(double X, double Y)> Steps { get; init; } = [];

    /// <summary>What the two kinds of letters mean, for the legend.</summary>
    public string Note { get; init; } = "";

    /// <summary>Lines of the plot itself, without axes and legend.</summary>
    public int Height { get; init; } = 16;

    /// <summary>The lines of the chart, none wider than the terminal.</summary>
    public IReadOnlyList<string> Render(TerminalCapabilities terminal)
    {
        ArgumentNullException.ThrowIfNull(terminal);
        TerminalScale x = X.Fit([.. Series.SelectMany(s => s.Points).Select(p => p.X)]);
        TerminalScale y = Y.Fit([.. Series.SelectMany(s => s.Points).Select(p => p.Y)]);
        (double Value, string Text)[] ticks = [.. y.Ticks(Math.Max(2, Height / 3)).Select(t => (t, Y.Format(t)))];
        int left = ticks.Select(t => t.Text.Length).DefaultIfEmpty(0).Max() + 2;
        var canvas = new TerminalCanvas(terminal.Width, Height + 2);
        var plot = new Plot(canvas, left, terminal.Width - left - 1, Height, x, y, terminal.Unicode);
        plot.DrawAxes(ticks, X);
        plot.DrawSteps(Steps);
        int hidden = plot.DrawPoints(Series);

        var lines = new List<string>();
        if (Title.Length > 0)
        {
            lines.AddRange(Wrap([Title], terminal.Width));
        }

        lines.Add(Clip(Y.Label, terminal.Width));
        lines.AddRange(canvas.Lines(terminal.Color));
        lines.Add(Clip(X.Label.PadLeft(left + ((terminal.Width - left + X.Label.Length) / 2)), terminal.Width));
        lines.AddRange(Wrap([.. Series.Select(s => $"{s.Letter} {s.Name}")], terminal.Width, "  ", terminal.Color ? [.. Series.Select(s => s.Color)] : null));
        string note = hidden > 0 ? $"{(Note.Length > 0 ? $"{Note}; " : "")}{Counted.Of(hidden, "point lies", "points lie")} behind others" : Note;
        if (note.Length > 0)
        {
            lines.AddRange(Wrap(note.Split(' '), terminal.Width, " "));
        }

        return lines;
    }

    private static string Clip(string text, int width)
    {
        text = VisibleText.Line(text);
        return text.Length <= width ? text : text[..width];
    }

    // Parts side by side as far as they fit; colours are put on after measuring.
    private static IEnumerable<string> Wrap(string[] parts, int width, string gap = "", int?[]? colors = null)
    {
        string line = "";
        int length = 0;
        for (int i = 0; i < parts.Length; i++)
        {
            string part = Clip(parts[i], width);
            if (length > 0 && length + gap.Length + part.Length > width)
            {
                yield return line;
                (line, length) = ("", 0);
            }

            string shown = colors?[i] is { } color ? TerminalCanvas.Colored(part[..1], color, false) + part[1..] : part;
            line = length > 0 ? line + gap + shown : shown;
            length += (length > 0 ? gap.Length : 0) + part.Length;
        }

        if (length > 0)
        {
            yield return line;
        }
    }

    private sealed class Plot(TerminalCanvas canvas, int left, int width, int height, TerminalScale x, TerminalScale y, bool unicode)
    {
        public void DrawAxes(IReadOnlyList<(double Value, string Text)> ticks, TerminalAxis horizontal)
        {
            for (int row = 0; row < height; row++)
            {
                canvas.Put(left - 1, row, unicode ? '│' : '|');
            }

            for (int column = 0; column < width; column++)
            {
                canvas.Put(left + column, height, unicode ? '─' : '-');
            }

            canvas.Put(left - 1, height, unicode ? '└' : '+');
            foreach ((double value, string text) in ticks)
            {
                canvas.Write(left - 2 - text.Length, Row(value), text);
                canvas.Put(left - 1, Row(value), unicode ? '┤' : '+');
            }

            int free = left - 1;
            foreach (double value in x.Ticks(Math.Max(2, width / 10)))
            {
                string text = horizontal.Format(value);
                int column = Column(value);
                int start = Math.Min(column - (text.Length / 2), canvas.Width - text.Length);
                if (start >= free)
                {
                    canvas.Put(column, height, unicode ? '┬' : '+');
                    canvas.Write(start, height + 1, text);
                    free = start + text.Length + 2;
                }
            }
        }

        public void DrawSteps(IReadOnlyList<(double X, double Y)> steps)
        {
            for (int i = 0; i < steps.Count; i++)
            {
                bool last = i + 1 == steps.Count;
                int from = Column(steps[i].X);
                int to = last ? left + width - 1 : Column(steps[i + 1].X);
                int row = Row(steps[i].Y);
                for (int column = from; column <= to; column++)
                {
                    canvas.Put(column, row, unicode ? '─' : '-');
                }

                if (!last && Row(steps[i + 1].Y) is int next && next != row)
                {
                    for (int up = Math.Min(row, next) + 1; up < Math.Max(row, next); up++)
                    {
                        canvas.Put(to, up, unicode ? '│' : '|');
                    }

                    canvas.Put(to, row, unicode ? next < row ? '┘' : '┐' : '+');
                    canvas.Put(to, next, unicode ? next < row ? '┌' : '└' : '+');
                }
            }
        }

        // Returns how many points cannot be seen.
        public int DrawPoints(IReadOnlyList<TerminalSeries> series)
        {
            var shown = new HashSet<(int, int)>();
            int hidden = 0;
            foreach ((TerminalSeries owner, TerminalPoint point) in series.SelectMany(s => s.Points.Select(p => (s, p))).Reverse().OrderBy(p => p.p.IsDim))
            {
                (int column, int row) = (Column(point.X), Row(point.Y));
                if (shown.Add((column, row)))
                {
                    canvas.Put(column, row, point.IsDim ? char.ToLowerInvariant(owner.Letter) : owner.Letter, owner.Color, point.IsDim);
                }
                else
                {
                    hidden++;
                }
            }

            return hidden;
        }

        private int Column(double value) => left + (int)Math.Round(Math.Clamp(x.Place(value), 0, 1) * (width - 1));

        private int Row(double value) => (int)Math.Round((1 - Math.Clamp(y.Place(value), 0, 1)) * (height - 1));
    }
}
