namespace SparseFrontier.Analysis;

/// <summary>One tested sparsity with the scores of the same samples under it and under dense attention; without them under the paper's criterion.</summary>
/// <param name="Row">The row.</param>
/// <param name="Sparsity">Measured sparsity of the phase that is looked at.</param>
/// <param name="DenseScores">Dense scores of the samples that both runs have.</param>
/// <param name="Scores">Scores of the same samples.</param>
public sealed record ToleranceLevel(SparseAttentionResult Row, double Sparsity, double[] DenseScores, double[] Scores);

/// <summary>The tested sparsities of one method in one cell.</summary>
/// <param name="Cell">Names the model, task, length and protocol.</param>
/// <param name="Protocol">The protocol, in words.</param>
/// <param name="Parameters">Parameters that all levels share.</param>
/// <param name="DecodeSparsity">The decode sparsity that all levels share, where both phases are sparse.</param>
/// <param name="Dense">The dense row.</param>
/// <param name="Levels">From the lowest sparsity.</param>
public sealed record ToleranceSeries(
    string Cell, string Protocol, string Parameters, double? DecodeSparsity, SparseAttentionResult Dense, IReadOnlyList<ToleranceLevel> Levels);

/// <summary>
/// The largest tolerated sparsity. Non-inferiority: the one-sided bound of the paired loss is below the margin there and at every lower
/// tested sparsity; what is not shown is not claimed, and nothing is shown where dense attention is not clearly above chance
/// (<see cref="ChanceFloor"/>). Losses are between -1 and 1, and the test (<see cref="BoundedMean"/>) assumes nothing else. docs/analysis.md.
/// </summary>
public static class Tolerance
{
    /// <summary>The tolerated sparsity of each series by non-inferiority.</summary>
    /// <param name="series">Series with scores.</param>
    /// <param name="maximumDrop">The margin, above 0 and below 1.</param>
    /// <param name="relative">Whether the margin is a share of the dense mean score.</param>
    /// <param name="confidence">Confidence of a claim, such as 0.95.</param>
    /// <param name="correction">Over what the chance of any false claim is controlled.</param>
    /// <param name="cancellationToken">Stops between series.</param>
    public static IReadOnlyList<SparsityTolerance> NonInferiority(
        IReadOnlyList<ToleranceSeries> series, double maximumDrop, bool relative, double confidence, ToleranceCorrection correction, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(series);
        var margin = new Margin(maximumDrop, relative);
        double[][] pValues = [.. Each().Select(s => s.Levels.Select(margin.PValue).ToArray())];
        var outcomes = new (int Claimed, double Level)[series.Count];
        foreach (var family in Enumerable.Range(0, series.Count).GroupBy(i => Family(series[i], i, correction)))
        {
            int[] members = [.. family];
            (int Claimed, double Level)[] found = MultipleTests.Sequences([.. members.Select(i => pValues[i])], 1 - confidence);
            for (int i = 0; i < members.Length; i++)
            {
                outcomes[members[i]] = found[i];
            }
        }

        return [.. Each().Select((s, i) => Row(s, pValues[i], outcomes[i].Claimed, outcomes[i].Level, margin, confidence, correction))];

        IEnumerable<ToleranceSeries> Each()
        {
            foreach (ToleranceSeries one in series)
            {
                cancellationToken.ThrowIfCancellationRequested();
                yield return one;
            }
        }
    }

    /// <summary>
    /// The tolerated sparsity of each series by the paper's first version: the largest whose score is not significantly below dense. Its test
    /// is not known; here it is Welch's t, one-sided, on means and standard errors, as what its code stored allows. Ours is that nothing is tolerated where
    /// dense attention is not itself significantly above chance: there nothing ever is significantly below it.
    /// </summary>
    /// <param name="series">Series; scores of samples are not used.</param>
    /// <param name="confidence">One minus the level of the test.</param>
    public static IReadOnlyList<SparsityTolerance> NotSignificant(IReadOnlyList<ToleranceSeries> series, double confidence)
    {
        ArgumentNullException.ThrowIfNull(series);
        return [.. series.Select(s =>
        {
            double[] p = [.. s.Levels.Select(l => WelchPValue(s.Dense, l.Row))];
            double chance = ChanceFloor.Of(s.Dense);
            bool visible = ChanceFloor.PValue(s.Dense, chance) < 1 - confidence;
            int best = visible ? Array.FindLastIndex(p, v => v >= 1 - confidence) : -1;
            int next = best + 1 < p.Length ? best + 1 : -1;
            return new SparsityTolerance
            {
                Task = s.Dense.Task,
                Model = s.Dense.Model,
                SequenceLength = s.Dense.SequenceLength,
                Protocol = s.Protocol,
                Method = s.Levels[0].Row.Method,
                DecodeMethod = s.Levels[0].Row.DecodeMethod,
                Parameters = s.Parameters,
                DecodeSparsity = s.DecodeSparsity,
                Criterion = ToleranceCriterion.Paper,
                ConfidenceLevel = confidence,
                Correction = ToleranceCorrection.None,
                ToleratedSparsity = best < 0 ? null : s.Levels[best].Sparsity,
                Loss = best < 0 ? null : s.Dense.Score - s.Levels[best].Row.Score,
                PValue = best < 0 ? null : p[best],
                NextSparsity = next < 0 ? null : s.Levels[next].Sparsity,
                NextLoss = next < 0 ? null : s.Dense.Score - s.Levels[next].Row.Score,
                NextPValue = next < 0 ? null : p[next],
                DenseScore = s.Dense.Score,
                ChanceScore = chance,
                IsLossVisible = visible,
                SampleCount = s.Levels.Min(l => Math.Min(l.Row.SampleCount, s.Dense.SampleCount)),
                LevelCount = s.Levels.Count,
                Message = !visible ? $"nothing established: {ChanceFloor.Describe(s.Dense.Score!.Value, 0, chance)}"
                    : best < 0 ? "every tested sparsity is significantly below dense" : "",
            };
        })];
    }

    /// <summary>P value of "the sparse score is at least the dense one", against "it is below", by Welch's t.</summary>
    /// <exception cref="SparseFrontierException">DataInsufficient: a row without score or standard error.</exception>
    public static double WelchPValue(SparseAttentionResult dense, SparseAttentionResult sparse)
    {
        ArgumentNullException.ThrowIfNull(dense);
        ArgumentNullException.ThrowIfNull(sparse);
        if (dense is not { Score: { } a, StandardError: { } ea, SampleCount: > 1 } || sparse is not { Score: { } b, StandardError: { } eb, SampleCount: > 1 })
        {
            throw new SparseFrontierException(
                ErrorIds.DataInsufficient, $"'{dense}' and '{sparse}' cannot be tested: both need a Score, a StandardError and a SampleCount above 1.", sparse.RunId);
        }

        return DifferenceTest.Welch((a, ea, dense.SampleCount), (b, eb, sparse.SampleCount)).PValueBelow(0);
    }

    private static string Family(ToleranceSeries series, int index, ToleranceCorrection correction) => correction switch
    {
        ToleranceCorrection.All => "",
        ToleranceCorrection.Cell => series.Cell,
        _ => FormattableString.Invariant($"{index}"),
    };

    private static SparsityTolerance Row(
        ToleranceSeries series, double[] pValues, int claimed, double level, Margin margin, double confidence, ToleranceCorrection correction)
    {
        ToleranceLevel? best = claimed == 0 ? null : series.Levels[claimed - 1];
        ToleranceLevel? next = claimed == series.Levels.Count ? null : series.Levels[claimed];
        int? needed = next is null ? null : margin.SamplesNeeded(next, level);
        return new SparsityTolerance
        {
            Task = series.Dense.Task,
            Model = series.Dense.Model,
            SequenceLength = series.Dense.SequenceLength,
            Protocol = series.Protocol,
            Method = series.Levels[0].Row.Method,
            DecodeMethod = series.Levels[0].Row.DecodeMethod,
            Parameters = series.Parameters,
            DecodeSparsity = series.DecodeSparsity,
            Criterion = ToleranceCriterion.NonInferiority,
            MaximumDrop = margin.Drop,
            IsRelative = margin.IsRelative,
            ConfidenceLevel = confidence,
            Correction = correction,
            ToleratedSparsity = best?.Sparsity,
            Loss = best is null ? null : Loss(best),
            LossHigh = best is null ? null : LossHigh(best, confidence),
            PValue = best is null ? null : pValues[claimed - 1],
            NextSparsity = next?.Sparsity,
            NextLoss = next is null ? null : Loss(next),
            NextLossHigh = next is null ? null : LossHigh(next, confidence),
            NextPValue = next is null ? null : pValues[claimed],
            DenseScore = series.Levels[0].DenseScores.Average(),
            ChanceScore = ChanceFloor.Of(series.Dense),
            IsLossVisible = next is null || margin.IsLossVisible(next, level),
            SampleCount = series.Levels.Min(l => l.Scores.Length),
            NeededSampleCount = needed,
            LevelCount = series.Levels.Count,
            Message = next is null ? "" : Words(next, needed, level, margin, confidence),
        };
    }

    private static string Words(ToleranceLevel next, int? needed, double level, Margin margin, double confidence)
    {
        string corrected = level < (1 - confidence) * (1 - 1e-9) ? FormattableString.Invariant($" at level {level:G2}") : "";
        string remedy = !margin.IsLossVisible(next, level) ? margin.DescribeFloor(next) + (needed is { } more ? FormattableString.Invariant($"; about {more} needed") : "")
            : needed is { } n ? FormattableString.Invariant($"about {n} needed")
            : FormattableString.Invariant($"the loss observed, {Loss(next):F3}, is not below {margin.Describe(next)}");
        return FormattableString.Invariant($"{next.Sparsity:F2} not established{corrected} at n = {next.Scores.Length}, {remedy}");
    }

    private static double Loss(ToleranceLevel level) => level.DenseScores.Average() - level.Scores.Average();

    private static double LossHigh(ToleranceLevel level, double confidence) =>
        BoundedMean.UpperBound([.. level.DenseScores.Zip(level.Scores, (d, s) => d - s)], 1, confidence);

    /// <summary>
    /// A margin, absolute or a share of the dense mean: then what is tested is that (1 - share) dense - sparse is below 0 on average. Of both, that answers at random
    /// would lose more is tested too, and the larger p value is the claim's, which needs no correction (an intersection-union test).
    /// </summary>
    internal sealed record Margin(double Drop, bool IsRelative)
    {
        private double Largest => Share;

        private double Threshold => IsRelative ? 0 : Drop;

        public double PValue(ToleranceLevel level) => Math.Max(BoundedMean.PValue(Values(level), Largest, Threshold), FloorPValue(level));

        /// <summary>P value of "answers at random would lose no more than the margin".</summary>
        public double FloorPValue(ToleranceLevel level) => ChanceFloor.PValue(level.DenseScores, Share, Floor(level));

        public bool IsLossVisible(ToleranceLevel level, double alpha) => FloorPValue(level) < alpha;

        public int? SamplesNeeded(ToleranceLevel level, double alpha)
        {
            int? loss = Power.BoundedSamplesNeeded(Values(level), Largest, Threshold, alpha);
            return IsLossVisible(level, alpha) ? loss : loss is null || ChanceFloor.SamplesNeeded(level.DenseScores, Share, Floor(level), alpha) is not { } seen ? null : Math.Max(loss.Value, seen);
        }

        public string DescribeFloor(ToleranceLevel level)
        {
            double dense = level.DenseScores.Average();
            return ChanceFloor.Describe(dense, IsRelative ? Drop * dense : Drop, ChanceFloor.Of(level.Row));
        }

        public string Describe(ToleranceLevel level) => IsRelative
            ? FormattableString.Invariant($"{Drop:G3} of {level.DenseScores.Average():F3}")
            : FormattableString.Invariant($"{Drop:G3}");

        private double Share => IsRelative ? 1 - Drop : 1;

        private double Floor(ToleranceLevel level) => ChanceFloor.Of(level.Row) + (IsRelative ? 0 : Drop);

        private double[] Values(ToleranceLevel level) => [.. level.DenseScores.Zip(level.Scores, (d, s) => (Share * d) - s)];
    }
}
