using SparseFrontier.Analysis;

namespace SparseFrontier.Experiments;

/// <summary>Compares rows by their means and standard errors.</summary>
internal static class UnpairedScores
{
    /// <summary>Welch's test of the second row's score against the first's.</summary>
    /// <exception cref="SparseFrontierException">DataInsufficient: a row without score, standard error or two samples.</exception>
    public static DifferenceTest Test(SparseAttentionResult first, SparseAttentionResult second) => DifferenceTest.Welch(Summary(first), Summary(second));

    private static (double Mean, double Error, int Count) Summary(SparseAttentionResult row) =>
        row is { Score: { } mean, StandardError: { } error, SampleCount: > 1 }
            ? (mean, error, row.SampleCount)
            : throw new SparseFrontierException(
                ErrorIds.DataInsufficient,
                $"'{row}' cannot be tested: its samples are not here, and without them it needs a Score, a StandardError and a SampleCount above 1.",
                row.RunId);
}
