namespace SparseFrontier.Reporting.Terminal;

/// <summary>What a terminal can show.</summary>
public sealed record TerminalCapabilities
{
    /// <summary>The width where none is known.</summary>
    public const int FallbackWidth = 80;

    // A chart narrower than this has no room for its axes.
    private const int LeastWidth = 40;

    /// <summary>Columns.</summary>
    public int Width { get; init; } = FallbackWidth;

    /// <summary>Whether escape sequences for colour are understood and wanted.</summary>
    public bool Color { get; init; }

    /// <summary>Whether lines and shades can be drawn with characters beyond ASCII.</summary>
    public bool Unicode { get; init; } = true;

    /// <summary>What the console of this process can show: no colour where output is redirected, NO_COLOR is set or the terminal is dumb.</summary>
    /// <param name="width">Columns; null or less than 1 where nobody knows.</param>
    /// <param name="redirected">Whether output goes to a file or another program.</param>
    public static TerminalCapabilities Detect(int? width, bool redirected)
    {
        bool dumb = Environment.GetEnvironmentVariable("TERM") == "dumb";
        return new TerminalCapabilities
        {
            Width = Math.Max(LeastWidth, width is > 0 ? width.Value : FallbackWidth),
            Color = !redirected && !dumb && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR")),
            Unicode = !dumb && Console.OutputEncoding.WebName.StartsWith("utf", StringComparison.OrdinalIgnoreCase),
        };
    }
}
