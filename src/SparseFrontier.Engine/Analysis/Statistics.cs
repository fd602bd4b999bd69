namespace SparseFrontier.Analysis;

/// <summary>A mean with its uncertainty; all null without values.</summary>
/// <param name="Count">Number of values.</param>
/// <param name="Mean">Mean.</param>
/// <param name="StandardError">Sample standard deviation (n - 1) over √n; null below two values.</param>
/// <param name="Low">Lower end of the 95 % interval.</param>
/// <param name="High">Upper end of the 95 % interval.</param>
public sealed record MeanInterval(int Count, double? Mean, double? StandardError, double? Low, double? High);

/// <summary>Intervals of means of bounded values, deterministic.</summary>
public static class Statistics
{
    /// <summary>
    /// Mean and 95 % interval of values known to lie between two bounds: Student's interval after adding one value at each bound, clipped to
    /// the bounds. Like the Agresti-Coull interval of a proportion, the two additions keep it honest where few or all samples agree and
    /// Student's own interval has no width; with many samples their weight vanishes.
    /// </summary>
    public static MeanInterval Interval(ReadOnlySpan<double> values, double minimum, double maximum)
    {
        int n = values.Length;
        if (n == 0)
        {
            return new MeanInterval(0, null, null, null, null);
        }

        double sum = 0;
        foreach (double value in values)
        {
            sum += value;
        }

        double mean = sum / n;
        double padded = (sum + minimum + maximum) / (n + 2);
        double squares = 0;
        double paddedSquares = ((minimum - padded) * (minimum - padded)) + ((maximum - padded) * (maximum - padded));
        foreach (double value in values)
        {
            squares += (value - mean) * (value - mean);
            paddedSquares += (value - padded) * (value - padded);
        }

        double half = StudentQuantile975(n + 1) * Math.Sqrt(paddedSquares / (n + 1) / (n + 2));
        return new MeanInterval(
            n,
            mean,
            n > 1 ? Math.Sqrt(squares / (n - 1) / n) : null,
            Math.Max(minimum, Math.Min(mean, padded - half)),
            Math.Min(maximum, Math.Max(mean, padded + half)));
    }

    /// <summary>The same interval from the number, mean and standard error of values that are not known one by one.</summary>
    public static MeanInterval Interval(int count, double mean, double standardError, double minimum, double maximum)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 2);
        double padded = ((count * mean) + minimum + maximum) / (count + 2);
        double squares = standardError * standardError * count * (count - 1);
        double paddedSquares = squares + (count * (mean - padded) * (mean - padded)) + ((minimum - padded) * (minimum - padded)) + ((maximum - padded) * (maximum - padded));
        double half = StudentQuantile975(count + 1) * Math.Sqrt(paddedSquares / (count + 1) / (count + 2));
        return new MeanInterval(count, mean, standardError, Math.Max(minimum, Math.Min(mean, padded - half)), Math.Min(maximum, Math.Max(mean, padded + half)));
    }

    /// <summary>Mean and 95 % interval of the differences of two lists of scores of the same samples, first minus second.</summary>
    public static MeanInterval PairedDifference(ReadOnlySpan<double> first, ReadOnlySpan<double> second)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(second.Length, first.Length);
        double[] differences = new double[first.Length];
        for (int i = 0; i < differences.Length; i++)
        {
            differences[i] = first[i] - second[i];
        }

        return Interval(differences, -1, 1);
    }

    /// <summary>0.975 quantile of Student's t, by bisection of its distribution function.</summary>
    /// <param name="degreesOfFreedom">At least 1.</param>
    public static double StudentQuantile975(int degreesOfFreedom)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(degreesOfFreedom, 1);
        double low = 1.9;
        double high = 12.8;
        for (int i = 0; i < 60; i++)
        {
            double middle = 0.5 * (low + high);
            if (StudentTwoSidedTail(middle, degreesOfFreedom) > 0.05)
            {
                low = middle;
            }
            else
            {
                high = middle;
            }
        }

        return 0.5 * (low + high);
    }

    /// <summary>P(|T| > t), from the finite series for whole degrees of freedom (Abramowitz and Stegun 26.7.3 and 26.7.4).</summary>
    private static double StudentTwoSidedTail(double t, int degreesOfFreedom)
    {
        double angle = Math.Atan2(t, Math.Sqrt(degreesOfFreedom));
        double sine = Math.Sin(angle);
        double cosine2 = Math.Cos(angle) * Math.Cos(angle);
        bool odd = degreesOfFreedom % 2 == 1;
        double term = odd ? Math.Cos(angle) : 1;
        double sum = degreesOfFreedom == 1 ? 0 : term;
        for (int k = odd ? 3 : 2; k <= degreesOfFreedom - 2; k += 2)
        {
            term *= cosine2 * (k - 1) / k;
            sum += term;
        }

        double inside = odd ? 2 / Math.PI * (angle + (sine * sum)) : sine * sum;
        return 1 - inside;
    }
}
