using System.Globalization;
using System.Reflection;
using SparseFrontier.Analysis;

namespace SparseFrontier.Experiments.Operations;

/// <summary>Compares runs with their baselines and emits a <see cref="ResultDifference"/> for each; a gate can make the comparison fail.</summary>
public sealed class CompareResultOperation
{
    private readonly PairedScores _scores = new();

    /// <summary>The baseline.</summary>
    public required IReadOnlyList<SparseAttentionResult> Baseline { get; init; }

    /// <summary>The runs to compare with it.</summary>
    public required IReadOnlyList<SparseAttentionResult> Candidate { get; init; }

    /// <summary>
    /// Columns that a run and its baseline have in common, besides those that make their samples the same (task, length, seed and protocol). Empty: model,
    /// methods, requested sparsities, budget schedule, and parameters other than the budget.
    /// </summary>
    public IReadOnlyList<string> Property { get; init; } = [];

    /// <summary>The mean loss of score that is accepted, from 0 to below 1.</summary>
    public double MaximumDrop { get; init; }

    /// <summary>Confidence of the verdicts over all rows together, from 0.5 to below 1.</summary>
    public double ConfidenceLevel { get; init; } = 0.95;

    /// <summary>What makes the comparison fail.</summary>
    public ComparisonGate FailOn { get; init; }

    /// <summary>Emits the comparisons in the order of the baseline, then an error if the gate fails.</summary>
    /// <exception cref="SparseFrontierException">ParameterInvalid. DataInsufficient: no run has a baseline, or several have the same.</exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        Require();
        Func<SparseAttentionResult, string> keyOf = Key();
        Dictionary<string, SparseAttentionResult> candidates = Unique(Candidate.Where(IsUsable), keyOf, "runs to compare");
        Dictionary<string, SparseAttentionResult> baselines = Unique(Baseline.Where(IsUsable), keyOf, "baselines");
        int extra = candidates.Keys.Count(k => !baselines.ContainsKey(k));
        if (extra > 0)
        {
            sink.Warning(string.Create(CultureInfo.InvariantCulture, $"{extra} of {Counted.Of(candidates.Count, "run")} {(extra == 1 ? "has no baseline and is" : "have no baseline and are")} left out."));
        }

        int dense = baselines.Values.Concat(candidates.Values).Count(r => r.FallbackCount > 0);
        if (dense > 0)
        {
            sink.Warning(string.Create(
                CultureInfo.InvariantCulture, $"Of the runs to compare and the baselines {Counted.Of(dense, "has", "have")} samples that fell back to dense attention: where both did, it is compared with itself."));
        }

        if (!baselines.Keys.Any(candidates.ContainsKey))
        {
            throw new SparseFrontierException(
                ErrorIds.DataInsufficient,
                $"None of {Counted.Of(candidates.Count, "completed run")} has a baseline among {baselines.Count}: task, length, seed, protocol and {(Property.Count == 0 ? "model, methods, sparsities and parameters" : string.Join(", ", Property))} must be the same. "
                + "Name fewer columns to compare by.");
        }

        var rows = new List<ResultDifference>();
        var tests = new List<DifferenceTest?>();
        var floors = new List<double>();
        foreach ((string key, SparseAttentionResult baseline) in baselines)
        {
            cancellationToken.ThrowIfCancellationRequested();
            string reason = "there is no completed run to compare";
            if (candidates.TryGetValue(key, out SparseAttentionResult? candidate))
            {
                try
                {
                    (ResultDifference row, DifferenceTest test, double floor) = Compare(baseline, candidate, sink);
                    rows.Add(row);
                    tests.Add(test);
                    floors.Add(floor);
                    continue;
                }
                catch (SparseFrontierException e) when (PairedScores.IsOfData(e))
                {
                    reason = e.Message;
                }
            }

            rows.Add(Row(baseline) with
            {
                BaselineScore = baseline.Score,
                BaselineElapsedSeconds = baseline.ElapsedSeconds,
                BaselineRunId = baseline.RunId,
                Chance = ChanceFloor.Of(baseline),
                RunId = candidate?.RunId ?? "",
                Verdict = ComparisonVerdict.Missing,
                Message = reason,
            });
            tests.Add(null);
            floors.Add(1);
        }

        ResultDifference[] judged = Judge(rows, tests, floors);
        foreach (ResultDifference row in judged)
        {
            sink.Object(row);
        }

        Gate(judged, sink);
    }

    private static bool IsUsable(SparseAttentionResult row) => row.Status == RunStatus.Completed;

    // With the p value of "answers at random would lose no more than the margin" from the baseline.
    private (ResultDifference Row, DifferenceTest Test, double Floor) Compare(SparseAttentionResult baseline, SparseAttentionResult candidate, IPipelineSink sink)
    {
        ResultDifference row = Row(candidate) with
        {
            BaselineElapsedSeconds = baseline.ElapsedSeconds,
            ElapsedSeconds = candidate.ElapsedSeconds,
            BaselineRunId = baseline.RunId,
            Chance = ChanceFloor.Of(baseline),
            RunId = candidate.RunId,
        };
        DifferenceTest test;
        double floor = ChanceFloor.Of(baseline) + MaximumDrop;
        double floorPValue;
        if (PairedScores.AreHere(baseline) && PairedScores.AreHere(candidate))
        {
            double[][] pair = _scores.Shared([baseline, candidate]);
            test = DifferenceTest.Paired([.. pair[1].Zip(pair[0], (c, b) => c - b)]);
            floorPValue = ChanceFloor.PValue(pair[0], 1, floor);
            Dictionary<int, string> outputs = _scores.Of(baseline).ToDictionary(s => s.Index, s => s.Output);
            row = row with
            {
                BaselineScore = pair[0].Average(),
                Score = pair[1].Average(),
                ChangedScoreCount = pair[0].Zip(pair[1]).Count(p => p.First != p.Second),
                ChangedOutputCount = _scores.Of(candidate).Count(s => outputs.TryGetValue(s.Index, out string? output) && output != s.Output),
            };
        }
        else
        {
            sink.Verbose($"Samples of '{candidate}' or its baseline are not here: means and standard errors are compared.");
            test = UnpairedScores.Test(baseline, candidate);
            floorPValue = ChanceFloor.PValue(baseline, floor);
            row = row with { BaselineScore = baseline.Score, Score = candidate.Score };
        }

        return (row with
        {
            Difference = test.Difference,
            DifferenceLow = test.Low(ConfidenceLevel),
            DifferenceHigh = test.High(ConfidenceLevel),
            RegressionPValue = test.PValueBelow(-MaximumDrop),
            Test = test.Name,
            SampleCount = test.SampleCount,
        }, test, floorPValue);
    }

    // Verdicts hold together: the chance of any false one is at most 1 - confidence for each kind of verdict.
    private ResultDifference[] Judge(List<ResultDifference> rows, List<DifferenceTest?> tests, List<double> floors)
    {
        int[] tested = [.. Enumerable.Range(0, rows.Count).Where(i => tests[i] is not null)];
        double[] lost = MultipleTests.Holm([.. tested.Select(i => rows[i].RegressionPValue!.Value)]);
        double[] gained = MultipleTests.Holm([.. tested.Select(i => tests[i]!.PValueAbove(MaximumDrop))]);
        double[] kept = MultipleTests.Holm([.. tested.Select(i => Math.Max(floors[i], tests[i]!.PValueAbove(-MaximumDrop)))]);
        double level = 1 - ConfidenceLevel;
        ResultDifference[] judged = [.. rows];
        for (int k = 0; k < tested.Length; k++)
        {
            int i = tested[k];
            ComparisonVerdict verdict = rows[i].ChangedScoreCount == 0 ? ComparisonVerdict.Unchanged
                : lost[k] < level ? ComparisonVerdict.Regressed
                : gained[k] < level ? ComparisonVerdict.Improved
                : kept[k] < level ? ComparisonVerdict.WithinMargin
                : ComparisonVerdict.Unclear;
            judged[i] = rows[i] with { AdjustedPValue = lost[k], Verdict = verdict, Message = Words(rows[i], tests[i]!, floors[i], verdict, level) };
        }

        return judged;
    }

    private string Words(ResultDifference row, DifferenceTest test, double floor, ComparisonVerdict verdict, double level) => verdict switch
    {
        ComparisonVerdict.Unchanged => row.ChangedOutputCount > 0
            ? FormattableString.Invariant($"every score is the same; {row.ChangedOutputCount} of {Counted.Of(row.SampleCount, "output")} changed")
            : "every score and output is the same",
        ComparisonVerdict.Regressed => FormattableString.Invariant($"a loss of {-row.Difference:F3} is shown{Beyond()}"),
        ComparisonVerdict.Improved => FormattableString.Invariant($"a gain of {row.Difference:F3} is shown{Beyond()}"),
        ComparisonVerdict.WithinMargin => FormattableString.Invariant($"the loss is shown to be below {MaximumDrop:G3}"),
        _ when floor >= level => FormattableString.Invariant(
            $"the baseline's score, {row.BaselineScore:F3}, is not shown to be more than {MaximumDrop:G3} above chance ({row.Chance:G3}), so that a loss could not be seen"),
        _ => test.SamplesNeeded(-MaximumDrop, level) is { } needed
            ? FormattableString.Invariant($"{row.Difference:+0.000;-0.000;0.000} is not told from the margin at n = {row.SampleCount}; about {needed} samples would tell")
            : FormattableString.Invariant($"{row.Difference:+0.000;-0.000;0.000} is not told from the margin at n = {row.SampleCount}"),
    };

    private string Beyond() => MaximumDrop > 0 ? FormattableString.Invariant($", beyond {MaximumDrop:G3}") : "";

    private void Gate(ResultDifference[] rows, IPipelineSink sink)
    {
        ResultDifference[] failed = [.. rows.Where(r => FailOn != ComparisonGate.Never && (r.Verdict == ComparisonVerdict.Missing || FailOn switch
        {
            ComparisonGate.Regression => r.Verdict == ComparisonVerdict.Regressed,
            ComparisonGate.Doubt => r.Verdict is ComparisonVerdict.Regressed or ComparisonVerdict.Unclear,
            _ => r.ChangedScoreCount != 0 || r.ChangedOutputCount != 0,
        }))];
        if (failed.Length > 0)
        {
            sink.Error(new SparseFrontierException(
                ErrorIds.ComparisonFailed,
                FormattableString.Invariant($"{failed.Length} of {Counted.Of(rows.Length, "comparison")} failed the gate {FailOn}: ")
                + string.Join("; ", failed.Take(3).Select(r => FormattableString.Invariant($"{r.Method}+{r.DecodeMethod} on {r.Task} at {r.SequenceLength} tokens, {r.Message}")))
                + (failed.Length > 3 ? "; ..." : ""),
                failed[0].RunId));
        }
    }

    private ResultDifference Row(SparseAttentionResult row) => new()
    {
        Task = row.Task,
        Model = row.Model,
        SequenceLength = row.SequenceLength,
        Protocol = Protocol.Describe(row),
        Method = row.Method,
        DecodeMethod = row.DecodeMethod,
        RequestedSparsity = row.RequestedSparsity,
        RequestedDecodeSparsity = row.RequestedDecodeSparsity,
        Parameters = FixedParameters.Of(row),
        MaximumDrop = MaximumDrop,
        ConfidenceLevel = ConfidenceLevel,
    };

    // Where no sparsity was asked for, the budget itself tells runs apart.
    private Func<SparseAttentionResult, string> Key()
    {
        PropertyInfo[] columns = [.. Property.Select(Pareto.Property)];
        return row => string.Join('\u001f', (string[])
        [
            row.Task,
            row.SequenceLength.ToString(CultureInfo.InvariantCulture),
            row.Seed.ToString(CultureInfo.InvariantCulture),
            Protocol.Key(row),
            .. columns.Length > 0
                ? columns.Select(c => Protocol.Text(c, row))
                : (string[])
                [
                    row.Model,
                    row.Method,
                    row.DecodeMethod,
                    row.BudgetSchedule,
                    FixedParameters.Of(row),
                    row.RequestedSparsity is { } sparsity ? sparsity.ToString("R", CultureInfo.InvariantCulture) : row.Parameters,
                    row.RequestedDecodeSparsity is { } decode ? decode.ToString("R", CultureInfo.InvariantCulture) : row.DecodeParameters,
                ],
        ]);
    }

    private static Dictionary<string, SparseAttentionResult> Unique(IEnumerable<SparseAttentionResult> rows, Func<SparseAttentionResult, string> keyOf, string what)
    {
        var unique = new Dictionary<string, SparseAttentionResult>(StringComparer.OrdinalIgnoreCase);
        foreach (SparseAttentionResult row in rows)
        {
            if (!unique.TryAdd(keyOf(row), row))
            {
                throw new SparseFrontierException(
                    ErrorIds.DataInsufficient,
                    $"Several of the {what} cannot be told apart: '{unique[keyOf(row)]}' and '{row}'. Select one of them, or name more columns to compare by.",
                    row.RunId);
            }
        }

        return unique;
    }

    private void Require()
    {
        if (MaximumDrop is not (>= 0 and < 1))
        {
            throw new SparseFrontierException(
                ErrorIds.ParameterInvalid, FormattableString.Invariant($"A loss of {MaximumDrop} is not from 0 to below 1: it is a part of the score, 0.05 for five points of a hundred."), MaximumDrop);
        }

        if (ConfidenceLevel is not (>= 0.5 and < 1))
        {
            throw new SparseFrontierException(
                ErrorIds.ParameterInvalid, FormattableString.Invariant($"A confidence of {ConfidenceLevel} is not from 0.5 to below 1, such as 0.95."), ConfidenceLevel);
        }

        if (FailOn == ComparisonGate.Doubt && MaximumDrop == 0)
        {
            throw new SparseFrontierException(
                ErrorIds.ParameterInvalid, "The gate Doubt needs a maximum drop above 0: no number of samples shows that nothing at all is lost.", MaximumDrop);
        }
    }
}
