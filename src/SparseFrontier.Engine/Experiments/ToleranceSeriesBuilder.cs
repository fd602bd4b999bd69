using System.Globalization;
using SparseFrontier.Analysis;
using SparseFrontier.Attention;

namespace SparseFrontier.Experiments;

/// <summary>Sorts rows into series of rising sparsity, each with the dense row that it is compared with.</summary>
internal static class ToleranceSeriesBuilder
{
    /// <summary>The series of rows; a cell without a dense run, or whose samples cannot be paired, is reported and left out.</summary>
    /// <param name="rows">Completed rows.</param>
    /// <param name="paired">Whether samples are needed.</param>
    /// <param name="report">Told what is left out.</param>
    public static IReadOnlyList<ToleranceSeries> Build(IEnumerable<SparseAttentionResult> rows, bool paired, Action<SparseFrontierException> report)
    {
        var scores = new PairedScores();
        var all = new List<ToleranceSeries>();
        foreach (var cell in rows.GroupBy(CellOf))
        {
            SparseAttentionResult[] sparse = [.. cell.Where(r => !IsDense(r))];
            if (sparse.Length == 0)
            {
                continue;
            }

            SparseAttentionResult? dense = cell.Where(IsDense).MaxBy(r => r.SampleCount);
            if (dense is null)
            {
                report(new SparseFrontierException(
                    ErrorIds.DataInsufficient,
                    $"There is no completed dense run of {sparse[0].Task} at {sparse[0].SequenceLength} tokens with {sparse[0].Model}, seed {sparse[0].Seed}, to compare {Counted.Of(sparse.Length, "sparse run")} with. "
                    + "Run the method Dense on it too.",
                    sparse[0].Task));
                continue;
            }

            foreach (var group in sparse.GroupBy(r => (r.Method, r.DecodeMethod, Parameters: FixedParameters.Of(r), Decode: FixedDecodeSparsity(r))))
            {
                var levels = new List<ToleranceLevel>();
                foreach (SparseAttentionResult row in group)
                {
                    try
                    {
                        if (!paired)
                        {
                            // Refuses rows without what the test needs.
                            Tolerance.WelchPValue(dense, row);
                        }

                        double[][] pair = paired ? scores.Shared([dense, row]) : [[], []];
                        levels.Add(new ToleranceLevel(row, SparsityOf(row), pair[0], pair[1]));
                    }
                    catch (SparseFrontierException e)
                    {
                        report(e);
                    }
                }

                if (levels.Count > 0)
                {
                    all.Add(new ToleranceSeries(
                        cell.Key,
                        Protocol.Describe(dense),
                        group.Key.Parameters,
                        group.Key.Decode,
                        dense,
                        [.. levels.OrderBy(l => l.Sparsity).ThenBy(l => l.Row.RunId, StringComparer.Ordinal)]));
                }
            }
        }

        return all;
    }

    /// <summary>Whether a row is of dense attention in both phases.</summary>
    public static bool IsDense(SparseAttentionResult row) => MethodRegistry.IsDense(row.Method) && MethodRegistry.IsDense(row.DecodeMethod);

    // Rows of one cell have the same questions; seeds ask others.
    private static string CellOf(SparseAttentionResult row) => string.Create(
        CultureInfo.InvariantCulture, $"{row.Model}\u001f{row.Task}\u001f{row.SequenceLength}\u001f{row.Seed}\u001f{Protocol.Key(row)}");

    private static double SparsityOf(SparseAttentionResult row) => (MethodRegistry.IsDense(row.Method) ? RowSparsity.Decode(row) : RowSparsity.Prefill(row))
        ?? throw new SparseFrontierException(ErrorIds.DataInsufficient, $"'{row}' has no sparsity, measured or nominal, and cannot be placed.", row.RunId);

    // With two sparse phases the prefill's sparsity is looked at, for one decode sparsity at a time.
    internal static double? FixedDecodeSparsity(SparseAttentionResult row) =>
        MethodRegistry.IsDense(row.Method) || MethodRegistry.IsDense(row.DecodeMethod) ? null : row.RequestedDecodeSparsity ?? Math.Round(RowSparsity.Decode(row) ?? 0, 2);
}
