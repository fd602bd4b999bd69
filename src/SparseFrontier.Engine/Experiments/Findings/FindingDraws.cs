using SparseFrontier.Analysis;
using SparseFrontier.Tensors;

namespace SparseFrontier.Experiments.Findings;

/// <summary>
/// Resamples of the questions of many cells, for figures that are no means: every run is looked at on the same draw of its questions, whatever the model, and different questions are drawn independently.
/// </summary>
/// <param name="cells">The cells, with the number of samples that all of their runs have an index below.</param>
internal sealed class FindingDraws(IReadOnlyDictionary<FindingCell, int> cells)
{
    /// <summary>Fewer samples in a cell than these show nothing by resampling: what never occurred among them is drawn in no resample.</summary>
    public const int FewestSamples = 20;

    // Cells of the same questions, which other protocols answer at another length, together.
    private readonly FindingCell[][] _order = [.. cells.Keys.OrderBy(c => c.Task, StringComparer.Ordinal).ThenBy(c => c.Length).ThenBy(c => c.Seed).ThenBy(c => c.Protocol, StringComparer.Ordinal)
        .GroupBy(c => (c.Task, c.Length, c.Seed, c.Questions)).Select(g => g.ToArray())];

    /// <summary>Whether every cell has enough samples for the resamples to show anything.</summary>
    public bool AreEnough => cells.Values.All(n => n >= FewestSamples);

    /// <summary>All samples, each question once.</summary>
    public int SampleCount => _order.Sum(same => same.Max(c => cells[c]));

    /// <summary>
    /// Figures of resamples. A run with fewer samples than others of its questions takes part with those of its own that were drawn: how many these are is chance, but given their number each of its samples is
    /// drawn with the same probability and means are over that number, so that they have no bias; they vary by about 1 / n more than with n drawn. Runs stay paired, which draws of each alone would undo.
    /// </summary>
    /// <param name="figure">The figure for the number of times that each sample of a cell counts.</param>
    public double?[] Figures(Func<IReadOnlyDictionary<FindingCell, int[]>, double?> figure)
    {
        var random = new RandomSource("analysis/findings", _order.Length);
        var values = new double?[PairedBootstrap.DefaultCount / 2];
        for (int b = 0; b < values.Length; b++)
        {
            var weights = new Dictionary<FindingCell, int[]>();
            foreach (FindingCell[] same in _order)
            {
                int[] drawn = new int[same.Max(c => cells[c])];
                for (int i = 0; i < drawn.Length; i++)
                {
                    drawn[random.Next(drawn.Length)]++;
                }

                foreach (FindingCell cell in same)
                {
                    weights[cell] = drawn;
                }
            }

            values[b] = figure(weights);
        }

        return values;
    }

    /// <summary>The figure of the samples themselves.</summary>
    public double? Figure(Func<IReadOnlyDictionary<FindingCell, int[]>, double?> figure) =>
        figure(cells.ToDictionary(c => c.Key, c => Enumerable.Repeat(1, c.Value).ToArray()));

    /// <summary>The weighted mean of scores, those that are missing left out.</summary>
    public static double Mean(double[] scores, int[] weights)
    {
        double sum = 0;
        int count = 0;
        for (int i = 0; i < Math.Min(scores.Length, weights.Length); i++)
        {
            if (!double.IsNaN(scores[i]))
            {
                sum += weights[i] * scores[i];
                count += weights[i];
            }
        }

        return count == 0 ? double.NaN : sum / count;
    }
}
