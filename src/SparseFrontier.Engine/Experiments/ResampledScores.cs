using SparseFrontier.Analysis;

namespace SparseFrontier.Experiments;

/// <summary>Resamples the scores of runs: jointly where they share samples, independently where they do not.</summary>
internal static class ResampledScores
{
    /// <summary>[resamples][rows] mean scores; null where the samples of a row are not here or too few are shared.</summary>
    /// <param name="rows">Rows.</param>
    /// <param name="explain">Told why there are none.</param>
    public static double[][]? Of(IReadOnlyList<SparseAttentionResult> rows, Action<string> explain)
    {
        var scores = new PairedScores();
        double[][] result = [.. Enumerable.Range(0, PairedBootstrap.DefaultCount).Select(_ => new double[rows.Count])];
        int stream = 0;
        try
        {
            foreach (var same in Enumerable.Range(0, rows.Count).GroupBy(i => (rows[i].Model, rows[i].Task, rows[i].SequenceLength, rows[i].Seed)))
            {
                int[] members = [.. same];
                double[][] means = PairedBootstrap.Means(scores.Shared([.. members.Select(i => rows[i])]), stream: stream++);
                for (int b = 0; b < means.Length; b++)
                {
                    for (int i = 0; i < members.Length; i++)
                    {
                        result[b][members[i]] = means[b][i];
                    }
                }
            }

            return result;
        }
        catch (SparseFrontierException e) when (PairedScores.IsOfData(e))
        {
            explain($"The frontier has no bands: {e.Message}");
            return null;
        }
    }
}
