namespace SparseFrontier.Analysis;

/// <summary>One configuration that a scaling law is fitted to.</summary>
/// <param name="Size">Parameters of the model; 0 where they are not known and all points are of one model.</param>
/// <param name="Length">Prompt tokens.</param>
/// <param name="Compression">1 / (1 - sparsity); 1 for dense attention.</param>
/// <param name="Task">Task.</param>
/// <param name="Cell">What shares samples: points of one model, length and task have the same cell.</param>
/// <param name="Score">0 to 1.</param>
public sealed record ScalingPoint(double Size, double Length, double Compression, string Task, string Cell, double Score);

/// <summary>
/// A score as a function of logarithms: g(score) = intercept + offset of the task + α ln(size) + β ln(length) + γ ln(compression), with g the
/// logit or nothing. An axis on which all points agree is left out.
/// </summary>
/// <remarks>
/// The logit form is fitted by quasi-likelihood (Papke and Wooldridge 1996, the "fractional logit"), which takes scores of 0 and 1 as they
/// are, the plain form by least squares. A task whose scores are all 1, or all 0, has an infinite offset in the logit form: it is then
/// predicted exactly and says nothing about the slopes.
/// </remarks>
public sealed class ScalingFit
{
    /// <summary>The paper's reference task, whose offset is 0.</summary>
    private const string PaperReference = "Quality";

    /// <summary>Points that are asked for each coefficient.</summary>
    public const int PointsPerCoefficient = 3;

    private ScalingFit(ScalingForm form, string reference, double intercept, double? size, double? length, double? compression, IReadOnlyDictionary<string, double> offsets)
    {
        Form = form;
        ReferenceTask = reference;
        Intercept = intercept;
        Size = size;
        Length = length;
        Compression = compression;
        Offsets = offsets;
    }

    /// <summary>Form.</summary>
    public ScalingForm Form { get; }

    /// <summary>The task whose offset is 0.</summary>
    public string ReferenceTask { get; }

    /// <summary>Value of the reference task at logarithms of 0.</summary>
    public double Intercept { get; }

    /// <summary>α; null where all points have one size.</summary>
    public double? Size { get; }

    /// <summary>β; null where all points have one length.</summary>
    public double? Length { get; }

    /// <summary>γ; null where all points have one compression.</summary>
    public double? Compression { get; }

    /// <summary>Offset of each task; infinite for a task whose scores are all 1 or all 0 in the logit form.</summary>
    public IReadOnlyDictionary<string, double> Offsets { get; }

    /// <summary>Coefficients that are estimated from finite data, of a fit to these points.</summary>
    public static int CoefficientCount(ScalingForm form, IReadOnlyCollection<ScalingPoint> points)
    {
        ScalingPoint[] used = [.. Informative(form, points)];
        return used.Select(p => p.Task).Distinct().Count() + Axes(used).Count(a => a);
    }

    /// <summary>Fits.</summary>
    /// <param name="form">Form.</param>
    /// <param name="points">Points.</param>
    /// <returns>Null where no finite fit exists: the regressors cannot be told apart, or, in the logit form, they separate high scores from low ones exactly.</returns>
    public static ScalingFit? Of(ScalingForm form, IReadOnlyCollection<ScalingPoint> points)
    {
        ArgumentNullException.ThrowIfNull(points);
        ScalingPoint[] used = [.. Informative(form, points)];
        string[] tasks = [.. used.Select(p => p.Task).Distinct().OrderByDescending(t => t == PaperReference).ThenBy(t => t, StringComparer.Ordinal)];
        bool[] axes = Axes(used);
        double[][] rows = [.. used.Select(p => (double[])[1, .. tasks.Skip(1).Select(t => t == p.Task ? 1.0 : 0), .. Logarithms(p).Where((_, a) => axes[a])])];
        double[] scores = [.. used.Select(p => p.Score)];
        double[]? b = form == ScalingForm.Logit ? FractionalLogit(rows, scores) : LeastSquares.Solve(rows, scores);
        if (b is null)
        {
            return null;
        }

        var offsets = points.Select(p => (p.Task, p.Score)).DistinctBy(p => p.Task).ToDictionary(
            p => p.Task,
            p => Array.IndexOf(tasks, p.Task) switch
            {
                < 0 => p.Score == 1 ? double.PositiveInfinity : double.NegativeInfinity,
                0 => 0,
                int place => b[place],
            });
        int next = tasks.Length;
        return new ScalingFit(form, tasks[0], b[0], axes[0] ? b[next++] : null, axes[1] ? b[next++] : null, axes[2] ? b[next] : null, offsets);
    }

    /// <summary>A fit with coefficients from elsewhere, such as the paper's.</summary>
    internal static ScalingFit Given(ScalingForm form, string reference, double intercept, double size, double length, double compression, IReadOnlyDictionary<string, double> offsets) =>
        new(form, reference, intercept, size, length, compression, offsets);

    /// <summary>The score that the fit predicts of a configuration; null for a task that it does not know.</summary>
    public double? Predict(ScalingPoint point)
    {
        ArgumentNullException.ThrowIfNull(point);
        if (!Offsets.TryGetValue(point.Task, out double offset))
        {
            return null;
        }

        double[] logarithms = Logarithms(point);
        double value = Intercept + offset + ((Size ?? 0) * (Size is null ? 0 : logarithms[0])) + ((Length ?? 0) * logarithms[1]) + ((Compression ?? 0) * logarithms[2]);
        return Form == ScalingForm.Logit ? 1 / (1 + Math.Exp(-value)) : value;
    }

    /// <summary>
    /// Half the width of each coefficient's 95 % interval: a jackknife over cells, whose points share samples and so are not independent, with Student's t
    /// of one degree of freedom less than there are cells. A coefficient that a single cell carries has none.
    /// </summary>
    /// <returns>Half widths of intercept, α, β, γ, and of the offsets by task.</returns>
    public static (double? Intercept, double? Size, double? Length, double? Compression, IReadOnlyDictionary<string, double?> Offsets) HalfWidths(
        ScalingForm form, IReadOnlyCollection<ScalingPoint> points, ScalingFit fit)
    {
        ArgumentNullException.ThrowIfNull(fit);
        ScalingPoint[] used = [.. Informative(form, points)];
        string[] cells = [.. used.Select(p => p.Cell).Distinct()];
        ScalingFit?[] without = [.. cells.Select(c => Of(form, [.. used.Where(p => p.Cell != c)]))];
        bool same = without.All(f => f?.ReferenceTask == fit.ReferenceTask);
        return (
            Half(f => same ? f.Intercept : null),
            Half(f => f.Size),
            Half(f => f.Length),
            Half(f => f.Compression),
            fit.Offsets.Keys.ToDictionary(
                task => task,
                task => task == fit.ReferenceTask || !same ? null : Half(f => f.Offsets.TryGetValue(task, out double offset) && double.IsFinite(offset) ? offset : null)));

        double? Half(Func<ScalingFit, double?> coefficient)
        {
            double?[] values = [.. without.Select(f => f is null ? null : coefficient(f))];
            if (values.Length < 2 || values.Any(v => v is null))
            {
                return null;
            }

            double mean = values.Average()!.Value;
            double squares = values.Sum(v => (v!.Value - mean) * (v.Value - mean));
            int freedom = values.Length - 1;
            return SpecialFunctions.StudentQuantile(0.975, freedom) * Math.Sqrt(squares * freedom / values.Length);
        }
    }

    // What has a finite offset.
    private static IEnumerable<ScalingPoint> Informative(ScalingForm form, IReadOnlyCollection<ScalingPoint> points) => form == ScalingForm.Logarithmic
        ? points
        : points.GroupBy(p => p.Task).Where(t => !t.All(p => p.Score == 1) && !t.All(p => p.Score == 0)).SelectMany(t => t);

    private static double[] Logarithms(ScalingPoint point) => [Math.Log(point.Size), Math.Log(point.Length), Math.Log(point.Compression)];

    private static bool[] Axes(ScalingPoint[] points) =>
        [points.Select(p => p.Size).Distinct().Count() > 1, points.Select(p => p.Length).Distinct().Count() > 1, points.Select(p => p.Compression).Distinct().Count() > 1];

    // Iteratively reweighted least squares; without a finite maximum the predictions run to 0 and 1.
    private static double[]? FractionalLogit(double[][] rows, double[] scores)
    {
        double[] means = [.. scores.Select(s => (s + 0.5) / 2)];
        double[] values = [.. means.Select(m => Math.Log(m / (1 - m)))];
        double[]? before = null;
        for (int i = 0; i < 100; i++)
        {
            double[] weights = [.. means.Select(m => m * (1 - m))];
            double[]? b = LeastSquares.Solve(rows, [.. scores.Select((s, k) => values[k] + ((s - means[k]) / weights[k]))], weights);
            if (b is null)
            {
                return null;
            }

            if (before is not null && b.Zip(before, (x, y) => Math.Abs(x - y) <= 1e-11 * (1 + Math.Abs(x))).All(close => close))
            {
                return b;
            }

            before = b;
            values = [.. rows.Select(row => row.Zip(b, (x, c) => x * c).Sum())];
            means = [.. values.Select(v => 1 / (1 + Math.Exp(-v)))];
            if (values.Any(v => !(Math.Abs(v) < 30)))
            {
                return null;
            }
        }

        return null;
    }
}
