namespace SparseFrontier.Reporting.Report;

/// <summary>A figure of the report: panels of one kind, and the table of the same numbers.</summary>
internal sealed record ReportFigure
{
    /// <summary>Anchor, of lower-case letters and hyphens.</summary>
    public required string Id { get; init; }

    /// <summary>Heading.</summary>
    public required string Title { get; init; }

    /// <summary>How it is to be read, in a sentence or two.</summary>
    public required string Lead { get; init; }

    /// <summary>Panels; empty where there is nothing to draw.</summary>
    public IReadOnlyList<ReportPanel> Panels { get; init; } = [];

    /// <summary>Methods of the legend; empty where colours mean something else.</summary>
    public IReadOnlyList<MethodLook> Legend { get; init; } = [];

    /// <summary>Why there is nothing to draw, or what is missing; empty where nothing is.</summary>
    public string Missing { get; init; } = "";

    /// <summary>The numbers.</summary>
    public ReportTable? Table { get; init; }
}

/// <summary>One chart of a figure.</summary>
/// <param name="Title">What it is of.</param>
/// <param name="Chart">Chart.</param>
internal sealed record ReportPanel(string Title, ChartSpecification Chart);

/// <summary>A column of a table.</summary>
/// <param name="Header">Header, with the unit.</param>
/// <param name="IsNumber">Whether its cells are numbers, aligned to the right.</param>
internal sealed record ReportColumn(string Header, bool IsNumber = false);

/// <summary>A table of text.</summary>
/// <param name="Caption">What it shows.</param>
/// <param name="Columns">Columns; the first names the row.</param>
/// <param name="Rows">Cells.</param>
internal sealed record ReportTable(string Caption, IReadOnlyList<ReportColumn> Columns, IReadOnlyList<string[]> Rows);
