using SparseFrontier.Experiments;

namespace SparseFrontier.Reporting.Terminal;

/// <summary>Emits the lines of a chart of each frontier: cost across, value up, a capital letter for a point on the frontier.</summary>
public sealed class ShowParetoOperation
{
    /// <summary>Points, as <see cref="Experiments.Operations.GetParetoOperation"/> emits them.</summary>
    public required IReadOnlyList<SparsityPoint> Points { get; init; }

    /// <summary>What the terminal can show.</summary>
    public required TerminalCapabilities Terminal { get; init; }

    /// <summary>Lines of a plot.</summary>
    public int Height { get; init; } = 16;

    /// <summary>Emits the lines as text, an empty one between two charts.</summary>
    /// <exception cref="SparseFrontierException">ParameterInvalid: a height that is none.</exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(sink);
        if (Height is < 4 or > 1000)
        {
            throw new SparseFrontierException(ErrorIds.ParameterInvalid, FormattableString.Invariant($"A height of {Height} lines is not from 4 to 1000."), Height);
        }

        bool first = true;
        foreach (IReadOnlyList<SparsityPoint> frontier in Frontiers(Points))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (!first)
            {
                sink.Object("");
            }

            first = false;
            foreach (string line in Chart(frontier, Height).Render(Terminal))
            {
                sink.Object(line);
            }
        }
    }

    /// <summary>The points of each frontier, in the order of their first.</summary>
    internal static IEnumerable<IReadOnlyList<SparsityPoint>> Frontiers(IEnumerable<SparsityPoint> points) =>
        points.GroupBy(p => (Heading: CellText.FrontierHeading(p), p.Protocol)).Select(g => g.ToArray());

    /// <summary>The chart of one frontier.</summary>
    internal static TerminalScatter Chart(IReadOnlyList<SparsityPoint> points, int height)
    {
        SparsityPoint first = points[0];
        IReadOnlyList<MethodLook> looks = MethodPalette.For(points.Select(CellText.Point));
        bool share = points.All(p => p.Value is >= 0 and <= 1);
        return new TerminalScatter
        {
            Title = CellText.FrontierHeading(first),
            Height = height,
            X = new TerminalAxis(AxisText.Of(first.CostName)) { IsLogarithmic = AxisText.IsLogarithmic(first.CostName), Format = CellText.Tick },
            Y = new TerminalAxis(AxisText.Of(first.ValueName)) { Minimum = share ? 0 : null, Maximum = share ? 1 : null, Format = CellText.Tick },
            Series =
            [
                .. looks.Select(look => new TerminalSeries(
                    look.Name,
                    look.Letter,
                    [.. points.Where(p => CellText.Point(p) == look.Name).Select(p => new TerminalPoint(p.Cost, p.Value, !p.IsOptimal))],
                    look.TerminalColor)),
            ],
            Steps = [.. points.Where(p => p.IsOptimal).OrderBy(p => p.Cost).ThenBy(p => p.Value).Select(p => (p.Cost, p.Value))],
            Note = "capitals and the line: on the frontier; lower case: dominated",
        };
    }
}
