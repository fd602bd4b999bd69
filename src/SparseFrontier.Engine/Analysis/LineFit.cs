namespace SparseFrontier.Analysis;

/// <summary>A straight line by least squares.</summary>
/// <param name="Slope">Slope.</param>
/// <param name="Intercept">Value at 0.</param>
/// <param name="SlopeLow">Lower end of the slope's 95 % interval by Student's t; null below three points.</param>
/// <param name="SlopeHigh">Upper end.</param>
/// <param name="Determination">Share of the variance that the line explains.</param>
public sealed record LineFit(double Slope, double Intercept, double? SlopeLow, double? SlopeHigh, double Determination)
{
    /// <summary>Fits a line.</summary>
    /// <param name="x">At least two, not all equal.</param>
    /// <param name="y">As many.</param>
    public static LineFit Of(IReadOnlyList<double> x, IReadOnlyList<double> y)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(y);
        int n = x.Count;
        double meanX = x.Average();
        double meanY = y.Average();
        double squares = x.Sum(v => (v - meanX) * (v - meanX));
        if (n < 2 || y.Count != n || squares == 0)
        {
            throw new ArgumentException("A line needs two points with different x.", nameof(x));
        }

        double slope = x.Zip(y, (a, b) => (a - meanX) * (b - meanY)).Sum() / squares;
        double intercept = meanY - (slope * meanX);
        double left = x.Zip(y, (a, b) => b - intercept - (slope * a)).Sum(r => r * r);
        double total = y.Sum(v => (v - meanY) * (v - meanY));
        double? half = n > 2 ? SpecialFunctions.StudentQuantile(0.975, n - 2) * Math.Sqrt(left / (n - 2) / squares) : null;
        return new LineFit(slope, intercept, slope - half, slope + half, total > 0 ? 1 - (left / total) : 1);
    }
}
