using System.Globalization;

namespace SparseFrontier.Reporting.Terminal;

/// <summary>An axis of a chart in characters.</summary>
/// <param name="Label">What it shows, with its unit.</param>
public sealed record TerminalAxis(string Label)
{
    /// <summary>Whether equal distances are equal factors; values must then be above 0.</summary>
    public bool IsLogarithmic { get; init; }

    /// <summary>Lower end; without it a little below the smallest value.</summary>
    public double? Minimum { get; init; }

    /// <summary>Upper end; without it a little above the largest value.</summary>
    public double? Maximum { get; init; }

    /// <summary>Text of a tick.</summary>
    public Func<double, string> Format { get; init; } = value => value.ToString("G4", CultureInfo.CurrentCulture);

    /// <summary>Fits the axis to values.</summary>
    internal TerminalScale Fit(IReadOnlyCollection<double> values)
    {
        bool logarithmic = IsLogarithmic && values.All(v => v > 0);
        double low = values.Count > 0 ? values.Min() : logarithmic ? 1 : 0;
        double high = values.Count > 0 ? values.Max() : 1;
        (low, high) = logarithmic ? (Math.Log10(low), Math.Log10(high)) : (low, high);
        double margin = high > low ? (high - low) * 0.04 : logarithmic ? 0.05 : Math.Max(Math.Abs(high) * 0.05, 0.05);
        (low, high) = (low - margin, high + margin);
        return logarithmic
            ? new TerminalScale(Minimum is { } l ? Math.Log10(l) : low, Maximum is { } h ? Math.Log10(h) : high, true)
            : new TerminalScale(Minimum ?? low, Maximum ?? high, false);
    }
}

/// <summary>Places of values on an axis: from 0, its lower end, to 1, its upper end.</summary>
/// <param name="Low">Lower end, a decimal logarithm where the axis is logarithmic.</param>
/// <param name="High">Upper end.</param>
/// <param name="IsLogarithmic">Whether equal distances are equal factors.</param>
internal sealed record TerminalScale(double Low, double High, bool IsLogarithmic)
{
    /// <summary>The place of a value.</summary>
    public double Place(double value) => ((IsLogarithmic ? Math.Log10(value) : value) - Low) / (High - Low);

    /// <summary>Round values on the axis, about so many.</summary>
    public IReadOnlyList<double> Ticks(int count)
    {
        (double low, double high) = IsLogarithmic ? (Math.Pow(10, Low), Math.Pow(10, High)) : (Low, High);
        if (IsLogarithmic && Logarithmic(low, high, count) is { Count: >= 3 } found)
        {
            return found;
        }

        double rough = (high - low) / Math.Max(1, count);
        double power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        double step = power * (new[] { 1.0, 2, 5 }.FirstOrDefault(f => f * power >= rough * 0.999, 10));
        var ticks = new List<double>();
        for (double i = Math.Ceiling((low / step) - 1e-9); i * step <= high + (step * 1e-9); i++)
        {
            ticks.Add(i * step);
        }

        return ticks;
    }

    private static List<double> Logarithmic(double low, double high, int count)
    {
        foreach (double[] factors in (double[][])[[1, 2, 5], [1]])
        {
            var ticks = new List<double>();
            for (double power = Math.Pow(10, Math.Floor(Math.Log10(low))); power <= high; power *= 10)
            {
                ticks.AddRange(factors.Select(f => f * power).Where(t => t >= low * (1 - 1e-9) && t <= high * (1 + 1e-9)));
            }

            if (ticks.Count <= count)
            {
                return ticks;
            }
        }

        return [];
    }
}
