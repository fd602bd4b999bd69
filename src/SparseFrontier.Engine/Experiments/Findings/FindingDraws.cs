using SparseFrontier.Analysis;
using SparseFrontier.Tensors;

namespace SparseFrontier.Experiments.Findings;

/// <summary>
/// Resamples of the questions of many cells, for figures that are no means: every run of a cell is looked at on the same draw, cells are drawn independently, whatever the model.
/// </summary>
/// <param name="cells">The cells, with the number of samples that all of their runs have an index below.</param>
internal sealed class FindingDraws(IReadOnlyDictionary<FindingCell, int> cells)
{
    /// <summary>Fewer samples in a cell than these show nothing by resampling: what never occurred among them is drawn in no resample.</summary>
    public const int FewestSamples = 20;

    private readonly FindingCell[] _order = [.. cells.Keys.OrderBy(c => c.Task, StringComparer.Ordinal).ThenBy(c => c.Length).ThenBy(c => c.Seed).ThenBy(c => c.Protocol, StringComparer.Ordinal)];

    /// <summary>Whether every cell has enough samples for the resamples to show anything.</summary>
    public bool AreEnough => cells.Values.All(n => n >= FewestSamples);

    /// <summary>All samples.</summary>
    public int SampleCount => cells.Values.Sum();

    /// <summary>Figures of resamples.</summary>
    /// <param name="figure">The figure for the number of times that each sample of a cell counts.</param>
    public double?[] Figures(Func<IReadOnlyDictionary<FindingCell, int[]>, double?> figure)
    {
        var random = new RandomSource("analysis/findings", _order.Length);
        var values = new double?[PairedBootstrap.DefaultCount / 2];
        for (int b = 0; b < values.Length; b++)
        {
            var weights = new Dictionary<FindingCell, int[]>();
            foreach (FindingCell cell in _order)
            {
                int[] drawn = new int[cells[cell]];
                for (int i = 0; i < drawn.Length; i++)
                {
                    drawn[random.Next(drawn.Length)]++;
                }

                weights[cell] = drawn;
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
