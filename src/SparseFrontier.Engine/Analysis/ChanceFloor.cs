using SparseFrontier.Tasks;

namespace SparseFrontier.Analysis;

/// <summary>
/// Whether a loss could be seen. Where dense attention itself scores hardly more than chance, a method that answers at random loses next to nothing from it,
/// and a small loss shows nothing about sparsity. So a loss counts as below a margin only where dense attention is shown to be above chance by more than
/// the margin: a comparison without that lacks assay sensitivity (ICH E10, 2000, section 1.5).
/// </summary>
internal static class ChanceFloor
{
    /// <summary>How far above chance a score is to be where no margin says it, as in curves of errors: the usual margin.</summary>
    public const double Clear = 0.05;

    /// <summary>The score of answers that are chosen without reading the context: as the row says, else as its task does; 0 for a task that is not known here.</summary>
    public static double Of(SparseAttentionResult row) => row.ChanceScore ?? Of(row.Task);

    /// <summary>The same of a task's name alone.</summary>
    public static double Of(string task) => TaskRegistry.Tasks.FirstOrDefault(t => t.Name.Equals(task, StringComparison.OrdinalIgnoreCase))?.ChanceScore ?? 0;

    /// <summary>P value of "the mean of <paramref name="share"/> times the score is at most the floor": small where it is shown to be above.</summary>
    /// <param name="scores">Scores from 0 to 1.</param>
    /// <param name="share">What part of the score must be above: 1, or what a relative margin leaves of it.</param>
    /// <param name="floor">Chance, plus an absolute margin.</param>
    public static double PValue(double[] scores, double share, double floor) => BoundedMean.PValue(Negated(scores, share), 0, -floor);

    /// <summary>The same from a row's mean and standard error, by Student's t; without a standard error, by the mean alone.</summary>
    /// <param name="row">A row with a score.</param>
    /// <param name="floor">Chance, plus a margin.</param>
    public static double PValue(SparseAttentionResult row, double floor) => row switch
    {
        { Score: { } score, StandardError: > 0 and var error, SampleCount: > 1 } => 1 - SpecialFunctions.StudentCumulative((score - floor) / error, row.SampleCount - 1),
        { Score: { } score } => score > floor ? 0 : 1,
        _ => 1,
    };

    /// <summary>Samples with which scores like these would be shown to be above the floor with a power of 0.8; null where their mean is not above it.</summary>
    /// <param name="scores">Scores from 0 to 1.</param>
    /// <param name="share">As in <see cref="PValue(double[], double, double)"/>.</param>
    /// <param name="floor">Chance, plus an absolute margin.</param>
    /// <param name="level">Level of the test.</param>
    public static int? SamplesNeeded(double[] scores, double share, double floor, double level) => Power.BoundedSamplesNeeded(Negated(scores, share), 0, -floor, level);

    /// <summary>Why nothing is shown, for the middle of a sentence.</summary>
    /// <param name="score">Mean score of dense attention.</param>
    /// <param name="margin">How far above chance it would have to be.</param>
    /// <param name="chance">Chance.</param>
    public static string Describe(double score, double margin, double chance) => FormattableString.Invariant(
        $"dense attention's score, {score:F3}, is not shown to be more than {margin:G3} above chance ({chance:G3}), so that a loss could not be seen");

    private static double[] Negated(double[] scores, double share) => [.. scores.Select(s => -(share * s))];
}
