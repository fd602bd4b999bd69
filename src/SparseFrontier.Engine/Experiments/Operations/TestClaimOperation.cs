using SparseFrontier.Analysis;

namespace SparseFrontier.Experiments.Operations;

/// <summary>Tests a claim about two methods on runs of the same samples and emits a <see cref="SparsityClaim"/> for each cell, or one Boolean.</summary>
public sealed class TestClaimOperation
{
    private readonly PairedScores _scores = new();

    /// <summary>
    /// "METHOD [at SPARSITY] over METHOD [at SPARSITY]": the first scores more by more than the margin. Or "not below": it loses less than the margin. Sparsities are
    /// measured ones.
    /// </summary>
    public required string Claim { get; init; }

    /// <summary>The rows.</summary>
    public required IReadOnlyList<SparseAttentionResult> Results { get; init; }

    /// <summary>Tasks; wildcards match. Empty: all.</summary>
    public IReadOnlyList<string> Task { get; init; } = [];

    /// <summary>The margin, a part of the score: from 0 to below 1, above 0 for "not below".</summary>
    public double Margin { get; init; }

    /// <summary>Confidence of a verdict, one-sided, from 0.5 to below 1.</summary>
    public double ConfidenceLevel { get; init; } = 0.95;

    /// <summary>Whether to emit only whether the claim is supported in every cell.</summary>
    public bool Quiet { get; init; }

    /// <summary>Emits the verdicts, by task, model, length and sparsity.</summary>
    /// <exception cref="SparseFrontierException">ParameterInvalid, MethodNotFound, SparsityOutOfRange. DataInsufficient: no two runs can be compared.</exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        ClaimText claim = Read();
        SparseAttentionResult[] rows =
        [
            .. Results.Where(Pareto.Includes).Where(r => Task.Count == 0 || Task.Any(t => NameMatcher.Matches(r.Task, t))),
        ];
        if (RowSparsity.Warning(rows) is { } nominal)
        {
            sink.Warning(nominal);
        }

        var verdicts = new List<SparsityClaim>();
        var missed = new HashSet<string>();
        var failures = new List<SparseFrontierException>();
        foreach (var cell in rows.GroupBy(r => (r.Task, r.Model, r.SequenceLength, Protocol: Protocol.Key(r))))
        {
            var pairs = from first in cell.Where(claim.First.Includes)
                        from second in cell.Where(claim.Second.Includes)
                        where first.Seed == second.Seed && first.RunId != second.RunId && Match(claim, first, second, missed)
                        group (first, second) by (
                            ClaimSide.SparsityOf(first), FixedParameters.Of(first), ClaimSide.SparsityOf(second), FixedParameters.Of(second),
                            ToleranceSeriesBuilder.FixedDecodeSparsity(first), ToleranceSeriesBuilder.FixedDecodeSparsity(second));
            missed.UnionWith(cell.Where(r => claim.First.Misses(r) || claim.Second.Misses(r)).Select(Missed));
            foreach (var pair in pairs.OrderBy(p => p.Key.Item1).ThenBy(p => p.Key.Item3))
            {
                cancellationToken.ThrowIfCancellationRequested();
                try
                {
                    verdicts.Add(Judge(claim, [.. pair], [.. cell.Where(ToleranceSeriesBuilder.IsDense)]));
                }
                catch (SparseFrontierException e) when (PairedScores.IsOfData(e))
                {
                    failures.Add(e);
                }
            }
        }

        if (verdicts.Count == 0 && failures.Count > 0)
        {
            throw failures[0];
        }

        foreach (SparseFrontierException failure in failures)
        {
            sink.Warning($"{failure.Message} It is left out.");
        }

        foreach (string text in missed)
        {
            sink.Warning(text);
        }

        if (verdicts.Count == 0)
        {
            Require(claim.First, rows);
            Require(claim.Second, rows);
            throw new SparseFrontierException(
                ErrorIds.DataInsufficient,
                $"No two completed runs among {rows.Length} are of '{Claim}' on the same task, model, length, seed and protocol"
                + (claim.First.Sparsity is null && claim.Second.Sparsity is null && !claim.First.IsDense && !claim.Second.IsDense ? ", at the same measured sparsity. Name the sparsities with 'at' to compare different ones." : ". Run both."),
                Claim);
        }

        if (Quiet)
        {
            sink.Object(verdicts.TrueForAll(v => v.Verdict == ClaimVerdict.Supported));
            return;
        }

        foreach (SparsityClaim verdict in verdicts.OrderBy(v => v.Task, StringComparer.Ordinal).ThenBy(v => v.Model, StringComparer.Ordinal).ThenBy(v => v.SequenceLength))
        {
            sink.Object(verdict);
        }
    }

    /// <summary>Refuses a text that is no claim, before results are looked for.</summary>
    /// <exception cref="SparseFrontierException">ParameterInvalid.</exception>
    public static void Require(string claim) => ClaimText.Read(claim);

    // A method without a run at all is the plainest reason.
    private static void Require(ClaimSide side, SparseAttentionResult[] rows)
    {
        if (rows.Length > 0 && !rows.Any(side.IsOfMethods))
        {
            throw new SparseFrontierException(
                ErrorIds.DataInsufficient,
                $"None of {Counted.Of(rows.Length, "completed run")} is of {side.Methods}; there are runs of {string.Join(", ", rows.Select(MethodNames.Of).Distinct().Order(StringComparer.Ordinal))}. Run {side.Methods} too.",
                side.Methods);
        }
    }

    // Without 'at', equal sparsities are compared, as measured; dense attention with any.
    private static bool Match(ClaimText claim, SparseAttentionResult first, SparseAttentionResult second, HashSet<string> missed)
    {
        if (claim.First.IsDense || claim.Second.IsDense || claim.First.Sparsity is not null || claim.Second.Sparsity is not null)
        {
            return true;
        }

        bool isNear = ClaimSide.MeasuredSparsityOf(first) is { } a && ClaimSide.MeasuredSparsityOf(second) is { } b && ClaimSide.Near(a, b) && NearDecode(first, second);
        if (!isNear && ClaimSide.SparsityOf(first) is { } asked && ClaimSide.SparsityOf(second) is { } other && Math.Abs(asked - other) < 0.005)
        {
            missed.Add(FormattableString.Invariant(
                $"{Where(first)}: {MethodNames.Of(first)} and {MethodNames.Of(second)} were both asked for sparsity {asked:G3} and left out {ClaimSide.MeasuredSparsityOf(first):F3} and {ClaimSide.MeasuredSparsityOf(second):F3}. They are not compared; name both sparsities with 'at' to do so."));
        }

        return isNear;
    }

    // Of two pairs of methods the decode sparsities are to be equal too.
    private static bool NearDecode(SparseAttentionResult first, SparseAttentionResult second) =>
        ToleranceSeriesBuilder.FixedDecodeSparsity(first) is null || ToleranceSeriesBuilder.FixedDecodeSparsity(second) is null
        || ((first.CacheSparsity ?? RowSparsity.Decode(first)) is { } a && (second.CacheSparsity ?? RowSparsity.Decode(second)) is { } b && ClaimSide.Near(a, b));

    private static string Missed(SparseAttentionResult row) => FormattableString.Invariant(
        $"{Where(row)}: {MethodNames.Of(row)} was asked for sparsity {ClaimSide.SparsityOf(row):G3} and left out {ClaimSide.MeasuredSparsityOf(row):F3}. It is not compared at {ClaimSide.SparsityOf(row):G3}; name what was measured with 'at' to do so.");

    private static string Where(SparseAttentionResult row) => FormattableString.Invariant($"{row.Task} at {row.SequenceLength} tokens, seed {row.Seed}");

    // Seeds ask other questions: their differences are put together.
    private SparsityClaim Judge(ClaimText claim, (SparseAttentionResult First, SparseAttentionResult Second)[] pairs, SparseAttentionResult[] dense)
    {
        double threshold = claim.NotBelow ? -Margin : Margin;
        (SparseAttentionResult first, SparseAttentionResult second) = pairs[0];
        DifferenceTest test;
        double score;
        double other;
        if (pairs.All(p => PairedScores.AreHere(p.First) && PairedScores.AreHere(p.Second)))
        {
            double[][][] shared = [.. pairs.Select(p => _scores.Shared([p.First, p.Second]))];
            test = DifferenceTest.Paired([.. shared.SelectMany(s => s[0].Zip(s[1], (a, b) => a - b))]);
            score = shared.SelectMany(s => s[0]).Average();
            other = shared.SelectMany(s => s[1]).Average();
        }
        else if (pairs.Length > 1)
        {
            throw new SparseFrontierException(
                ErrorIds.DataInsufficient, $"'{first}' was run with {pairs.Length} seeds whose samples are not all here. Select one seed, or read rows from the folder of their runs.", first.RunId);
        }
        else
        {
            test = UnpairedScores.Test(second, first);
            score = first.Score!.Value;
            other = second.Score!.Value;
        }

        double level = 1 - ConfidenceLevel;
        ClaimVerdict verdict = test.PValueAbove(threshold) < level ? ClaimVerdict.Supported
            : test.PValueBelow(threshold) < level ? ClaimVerdict.Refuted
            : ClaimVerdict.Underpowered;
        string blind = "";
        if ((verdict == ClaimVerdict.Supported && threshold < 0) || (verdict == ClaimVerdict.Refuted && threshold > 0))
        {
            // A verdict that two runs at random would get as well.
            blind = Blind(claim, pairs, dense, level);
            verdict = blind.Length > 0 ? ClaimVerdict.Underpowered : verdict;
        }

        int? needed = blind.Length == 0 && verdict == ClaimVerdict.Underpowered ? test.SamplesNeeded(threshold, level) : null;
        return new SparsityClaim
        {
            Claim = Claim.Trim(),
            Task = first.Task,
            Model = first.Model,
            SequenceLength = first.SequenceLength,
            Protocol = Protocol.Describe(first),
            Method = MethodNames.Of(first),
            Sparsity = ClaimSide.SparsityOf(first),
            MeasuredSparsity = pairs.Average(p => ClaimSide.MeasuredSparsityOf(p.First)),
            Parameters = FixedParameters.Of(first),
            OtherMethod = MethodNames.Of(second),
            OtherSparsity = ClaimSide.SparsityOf(second),
            OtherMeasuredSparsity = pairs.Average(p => ClaimSide.MeasuredSparsityOf(p.Second)),
            OtherParameters = FixedParameters.Of(second),
            Threshold = threshold,
            ConfidenceLevel = ConfidenceLevel,
            Score = score,
            OtherScore = other,
            Difference = test.Difference,
            DifferenceLow = test.Low(ConfidenceLevel),
            DifferenceHigh = test.High(ConfidenceLevel),
            PValue = test.PValueAbove(threshold),
            Test = test.Name,
            SampleCount = test.SampleCount,
            NeededSampleCount = needed,
            Verdict = verdict,
            Message = verdict switch
            {
                ClaimVerdict.Supported => FormattableString.Invariant($"a difference above {threshold:G3} is shown"),
                ClaimVerdict.Refuted => FormattableString.Invariant($"a difference below {threshold:G3} is shown"),
                _ when blind.Length > 0 => blind,
                _ => FormattableString.Invariant($"{test.Difference:+0.000;-0.000;0.000} at n = {test.SampleCount} does not decide")
                    + (needed is { } n ? FormattableString.Invariant($"; about {n} samples would {(test.Difference > threshold ? "support" : "refute")} it") : ""),
            },
        };
    }

    // Why no loss could be seen; empty where one could. "Not below" speaks of the second method, "over" of whether scores can differ at all: of dense attention where it was
    // run, else of the better of the two.
    private string Blind(ClaimText claim, (SparseAttentionResult First, SparseAttentionResult Second)[] pairs, SparseAttentionResult[] dense, double level)
    {
        SparseAttentionResult[] beside = [.. pairs.Select(p => dense.FirstOrDefault(d => d.Seed == p.First.Seed)).OfType<SparseAttentionResult>()];
        (string Name, SparseAttentionResult[] Rows)[] references = claim.NotBelow ? [(MethodNames.Of(pairs[0].Second), [.. pairs.Select(p => p.Second)])]
            : beside.Length == pairs.Length ? [("dense attention", beside)]
            : [(MethodNames.Of(pairs[0].First), [.. pairs.Select(p => p.First)]), (MethodNames.Of(pairs[0].Second), [.. pairs.Select(p => p.Second)])];
        double chance = ChanceFloor.Of(pairs[0].First);
        if (references.Any(r => _scores.FloorPValue(r.Rows, chance + Margin) < level / references.Length))
        {
            return "";
        }

        string names = string.Join(" and ", references.Select(r => FormattableString.Invariant($"{r.Name} ({r.Rows.Average(row => row.Score):F3})")));
        return FormattableString.Invariant($"{names} {(references.Length > 1 ? "are" : "is")} not shown to score more than {Margin:G3} above chance ({chance:G3}), so that a loss could not be seen");
    }

    private ClaimText Read()
    {
        ClaimText claim = ClaimText.Parse(Claim, Results);
        if (Margin is not (>= 0 and < 1) || (claim.NotBelow && Margin == 0))
        {
            throw new SparseFrontierException(
                ErrorIds.ParameterInvalid,
                FormattableString.Invariant($"A margin of {Margin} is not from 0 to below 1, or is 0 for 'not below': it is a part of the score, 0.05 for five points of a hundred, and no number of samples shows that nothing at all is lost."),
                Margin);
        }

        return ConfidenceLevel is >= 0.5 and < 1
            ? claim
            : throw new SparseFrontierException(
                ErrorIds.ParameterInvalid, FormattableString.Invariant($"A confidence of {ConfidenceLevel} is not from 0.5 to below 1, such as 0.95."), ConfidenceLevel);
    }
}
