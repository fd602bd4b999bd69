namespace SparseFrontier.Analysis;

/// <summary>Control of the chance of any false claim when many are tested.</summary>
public static class MultipleTests
{
    /// <summary>P values adjusted by Holm (1979): those below a level may all be claimed at that level.</summary>
    /// <returns>In the order given.</returns>
    public static double[] Holm(IReadOnlyList<double> pValues)
    {
        ArgumentNullException.ThrowIfNull(pValues);
        int[] order = [.. Enumerable.Range(0, pValues.Count).OrderBy(i => pValues[i])];
        double[] adjusted = new double[pValues.Count];
        double largest = 0;
        for (int rank = 0; rank < order.Length; rank++)
        {
            largest = Math.Max(largest, Math.Min(1, (order.Length - rank) * pValues[order[rank]]));
            adjusted[order[rank]] = largest;
        }

        return adjusted;
    }

    /// <summary>The level of one more hypothesis: a p value below it is claimed by Holm's procedure beside others, whose p values are these.</summary>
    /// <param name="others">P values of the others.</param>
    /// <param name="level">The level of all together.</param>
    public static double HolmLevel(IReadOnlyList<double> others, double level)
    {
        ArgumentNullException.ThrowIfNull(others);

        // Those that are claimed though this one is not leave it their part.
        int claimed = 0;
        foreach (double value in others.Order().TakeWhile(value => value < level / (others.Count + 1 - claimed)))
        {
            claimed++;
        }

        return level / (others.Count + 1 - claimed);
    }

    /// <summary>
    /// How many hypotheses at the start of each of several series may be claimed, when within a series each is tested only after all before it
    /// were claimed, and the chance of any false claim over all series is at most a level. Each series begins with an equal share of the
    /// level and keeps it from one hypothesis to the next; one that has claimed all passes its share on in equal parts (Bretz, Maurer,
    /// Brannath and Posch 2009). With series of one hypothesis this is Holm's procedure.
    /// </summary>
    /// <param name="series">P values of each series, in the order of testing.</param>
    /// <param name="level">The level, such as 0.05.</param>
    /// <returns>For each series, the number claimed and the share of the level that the first unclaimed hypothesis was tested at.</returns>
    public static (int Claimed, double Level)[] Sequences(IReadOnlyList<IReadOnlyList<double>> series, double level)
    {
        ArgumentNullException.ThrowIfNull(series);
        int[] claimed = new int[series.Count];
        double[] share = [.. series.Select(_ => level / series.Count)];
        while (true)
        {
            int next = Enumerable.Range(0, series.Count).FirstOrDefault(i => claimed[i] < series[i].Count && series[i][claimed[i]] < share[i], -1);
            if (next < 0)
            {
                return [.. claimed.Select((c, i) => (c, share[i]))];
            }

            claimed[next]++;
            int[] open = [.. Enumerable.Range(0, series.Count).Where(i => claimed[i] < series[i].Count)];
            if (claimed[next] == series[next].Count && open.Length > 0)
            {
                foreach (int i in open)
                {
                    share[i] += share[next] / open.Length;
                }

                share[next] = 0;
            }
        }
    }
}
