using SparseFrontier.Analysis;

namespace SparseFrontier.Experiments.Operations;

/// <summary>Tests a claim about two methods on runs of the same samples and emits a <see cref="SparsityClaim"/> for each cell, or one Boolean.</summary>
public sealed class TestClaimOperation
{
    private readonly PairedScores _scores = new();

    /// <summary>"METHOD [at SPARSITY] over METHOD [at SPARSITY]": the first scores more by more than the margin. Or "not below": it loses less than the margin.</summary>
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
        var verdicts = new List<SparsityClaim>();
        var failures = new List<SparseFrontierException>();
        foreach (var cell in rows.GroupBy(r => (r.Task, r.Model, r.SequenceLength, Protocol: Protocol.Key(r))))
        {
            var pairs = from first in cell.Where(claim.First.Includes)
                        from second in cell.Where(claim.Second.Includes)
                        where first.Seed == second.Seed && first.RunId != second.RunId && Match(claim, first, second)
                        group (first, second) by (ClaimSide.SparsityOf(first), FixedParameters.Of(first), ClaimSide.SparsityOf(second), FixedParameters.Of(second));
            foreach (var pair in pairs.OrderBy(p => p.Key.Item1).ThenBy(p => p.Key.Item3))
            {
                cancellationToken.ThrowIfCancellationRequested();
                try
                {
                    verdicts.Add(Judge(claim, [.. pair]));
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

        if (verdicts.Count == 0)
        {
            throw new SparseFrontierException(
                ErrorIds.DataInsufficient,
                $"No two completed runs among {rows.Length} are of '{Claim}' on the same task, model, length, seed and protocol"
                + (claim.First.Sparsity is null && claim.Second.Sparsity is null && !claim.First.IsDense && !claim.Second.IsDense ? ", at the same sparsity. Name the sparsities with 'at' to compare different ones." : ". Run both."),
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

    // Without 'at', equal sparsities are compared; dense attention with any.
    private static bool Match(ClaimText claim, SparseAttentionResult first, SparseAttentionResult second) =>
        claim.First.IsDense || claim.Second.IsDense || claim.First.Sparsity is not null || claim.Second.Sparsity is not null
        || (ClaimSide.SparsityOf(first) is { } a && ClaimSide.SparsityOf(second) is { } b && Math.Abs(a - b) < 0.005);

    // Seeds ask other questions: their differences are put together.
    private SparsityClaim Judge(ClaimText claim, (SparseAttentionResult First, SparseAttentionResult Second)[] pairs)
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
        int? needed = verdict == ClaimVerdict.Underpowered ? test.SamplesNeeded(threshold, level) : null;
        return new SparsityClaim
        {
            Claim = Claim.Trim(),
            Task = first.Task,
            Model = first.Model,
            SequenceLength = first.SequenceLength,
            Protocol = Protocol.Describe(first),
            Method = MethodNames.Of(first),
            Sparsity = ClaimSide.SparsityOf(first),
            Parameters = FixedParameters.Of(first),
            OtherMethod = MethodNames.Of(second),
            OtherSparsity = ClaimSide.SparsityOf(second),
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
                _ => FormattableString.Invariant($"{test.Difference:+0.000;-0.000;0.000} at n = {test.SampleCount} does not decide")
                    + (needed is { } n ? FormattableString.Invariant($"; about {n} samples would {(test.Difference > threshold ? "support" : "refute")} it") : ""),
            },
        };
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
