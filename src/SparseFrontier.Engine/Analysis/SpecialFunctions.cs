namespace SparseFrontier.Analysis;

/// <summary>Distribution functions that the statistics need, in double precision.</summary>
public static class SpecialFunctions
{
    // Lanczos, g = 7, n = 9 (Godfrey 2001): 15 digits.
    private static readonly double[] s_lanczos =
    [
        0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059, 12.507343278686905,
        -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
    ];

    /// <summary>Natural logarithm of the gamma function of a positive number.</summary>
    public static double LogGamma(double x)
    {
        if (x < 0.5)
        {
            return Math.Log(Math.PI / Math.Sin(Math.PI * x)) - LogGamma(1 - x);
        }

        double sum = s_lanczos[0];
        for (int i = 1; i < s_lanczos.Length; i++)
        {
            sum += s_lanczos[i] / (x - 1 + i);
        }

        double t = x + 6.5;
        return (0.5 * Math.Log(2 * Math.PI)) + ((x - 0.5) * Math.Log(t)) - t + Math.Log(sum);
    }

    /// <summary>Regularised incomplete beta function I_x(a, b), by its continued fraction (DLMF 8.17.22, evaluated as Lentz does).</summary>
    /// <param name="x">0 to 1.</param>
    /// <param name="a">Positive.</param>
    /// <param name="b">Positive.</param>
    public static double IncompleteBeta(double x, double a, double b)
    {
        if (x <= 0 || x >= 1)
        {
            return x <= 0 ? 0 : 1;
        }

        double front = Math.Exp(LogGamma(a + b) - LogGamma(a) - LogGamma(b) + (a * Math.Log(x)) + (b * Math.Log(1 - x)));
        return x < (a + 1) / (a + b + 2) ? front * Fraction(x, a, b) / a : 1 - (front * Fraction(1 - x, b, a) / b);
    }

    /// <summary>Distribution function of the standard normal distribution.</summary>
    public static double NormalCumulative(double z)
    {
        // P(|Z| > z) is the tail of a gamma distribution of shape 1/2.
        double tail = 0.5 * UpperGammaHalf(z * z / 2);
        return z >= 0 ? 1 - tail : tail;
    }

    /// <summary>Quantile of the standard normal distribution.</summary>
    /// <param name="p">Above 0 and below 1.</param>
    public static double NormalQuantile(double p) => Invert(NormalCumulative, p, -40, 40);

    /// <summary>Distribution function of Student's t.</summary>
    /// <param name="t">Any number.</param>
    /// <param name="degreesOfFreedom">Positive.</param>
    public static double StudentCumulative(double t, double degreesOfFreedom)
    {
        double tail = 0.5 * IncompleteBeta(degreesOfFreedom / (degreesOfFreedom + (t * t)), degreesOfFreedom / 2, 0.5);
        return t >= 0 ? 1 - tail : tail;
    }

    /// <summary>Quantile of Student's t.</summary>
    /// <param name="p">Above 0 and below 1.</param>
    /// <param name="degreesOfFreedom">Positive.</param>
    public static double StudentQuantile(double p, double degreesOfFreedom)
    {
        double limit = 2;
        while (limit < 1e150 && StudentCumulative(limit, degreesOfFreedom) < Math.Max(p, 1 - p))
        {
            limit *= 2;
        }

        return Invert(t => StudentCumulative(t, degreesOfFreedom), p, -limit, limit);
    }

    /// <summary>Distribution function of the noncentral t, by the series of Lenth (1989, algorithm AS 243).</summary>
    /// <param name="t">Any number.</param>
    /// <param name="degreesOfFreedom">Positive.</param>
    /// <param name="noncentrality">Any number to about 35.</param>
    public static double NoncentralStudentCumulative(double t, double degreesOfFreedom, double noncentrality)
    {
        if (t < 0)
        {
            return 1 - NoncentralStudentCumulative(-t, degreesOfFreedom, -noncentrality);
        }

        double half = noncentrality * noncentrality / 2;
        double x = t * t / (degreesOfFreedom + (t * t));
        double sum = 0;
        double logHalf = Math.Log(half);
        for (int j = 0; j < 20_000; j++)
        {
            double power = half > 0 ? (j * logHalf) - half : j == 0 ? 0 : double.NegativeInfinity;
            double p = Math.Exp(power - LogGamma(j + 1));
            double q = noncentrality / Math.Sqrt(2) * Math.Exp(power - LogGamma(j + 1.5));
            double even = IncompleteBeta(x, j + 0.5, degreesOfFreedom / 2);
            sum += (p * even) + (q * IncompleteBeta(x, j + 1, degreesOfFreedom / 2));
            if (j > half && p + Math.Abs(q) < 1e-17)
            {
                break;
            }
        }

        return Math.Clamp(NormalCumulative(-noncentrality) + (0.5 * sum), 0, 1);
    }

    /// <summary>The argument at which an increasing function takes a value, by bisection to the last digit.</summary>
    internal static double Invert(Func<double, double> increasing, double value, double low, double high)
    {
        for (int i = 0; i < 200; i++)
        {
            double middle = 0.5 * (low + high);
            if (middle <= low || middle >= high)
            {
                break;
            }

            (low, high) = increasing(middle) < value ? (middle, high) : (low, middle);
        }

        return 0.5 * (low + high);
    }

    // Q(1/2, x) = erfc(sqrt x): the series of P for small x, the continued fraction of Q for large x.
    private static double UpperGammaHalf(double x)
    {
        if (x == 0)
        {
            return 1;
        }

        double front = Math.Exp(-x) * Math.Sqrt(x / Math.PI);
        if (x < 1.5)
        {
            double term = 2;
            double sum = term;
            for (int i = 1; i < 200 && term > 1e-18 * sum; i++)
            {
                term *= x / (i + 0.5);
                sum += term;
            }

            return 1 - (front * sum);
        }

        double b = x + 0.5;
        double c = 1e300;
        double d = 1 / b;
        double fraction = d;
        for (int i = 1; i < 500; i++)
        {
            double a = -i * (i - 0.5);
            b += 2;
            d = 1 / ((a * d) + b);
            c = b + (a / c);
            double factor = c * d;
            fraction *= factor;
            if (Math.Abs(factor - 1) < 1e-16)
            {
                break;
            }
        }

        return front * fraction;
    }

    private static double Fraction(double x, double a, double b)
    {
        const double Tiny = 1e-300;
        double c = 1;
        double d = 1 - ((a + b) * x / (a + 1));
        d = 1 / (Math.Abs(d) < Tiny ? Tiny : d);
        double fraction = d;
        for (int m = 1; m < 10_000; m++)
        {
            double even = m * (b - m) * x / ((a + (2 * m) - 1) * (a + (2 * m)));
            d = 1 + (even * d);
            c = 1 + (even / c);
            d = 1 / (Math.Abs(d) < Tiny ? Tiny : d);
            c = Math.Abs(c) < Tiny ? Tiny : c;
            fraction *= d * c;
            double odd = -(a + m) * (a + b + m) * x / ((a + (2 * m)) * (a + (2 * m) + 1));
            d = 1 + (odd * d);
            c = 1 + (odd / c);
            d = 1 / (Math.Abs(d) < Tiny ? Tiny : d);
            c = Math.Abs(c) < Tiny ? Tiny : c;
            double factor = d * c;
            fraction *= factor;
            if (Math.Abs(factor - 1) < 1e-15)
            {
                break;
            }
        }

        return fraction;
    }
}
