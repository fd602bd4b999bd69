using SparseFrontier.Analysis;
using static System.FormattableString;

namespace SparseFrontier.Experiments.Findings;

/// <summary>Claims about what is lost somewhere, and what is gained where nothing should be.</summary>
internal static class ToleranceFindings
{
    /// <summary>A fifth of the attention: the paper's "5x".</summary>
    private const double Fifth = 0.8;

    /// <summary>What counts as lost: the usual margin.</summary>
    private const double Margin = 0.05;

    /// <summary>What "nearly every" is.</summary>
    private const double NearlyEvery = 0.9;

    /// <summary>The claims.</summary>
    public static IEnumerable<FindingDraft> Of(FindingClaims claims)
    {
        FindingCurve[] curves = [.. claims.Data.Curves.Where(c => c.Variant.Length == 0 && !c.Cell.IsCompressedBefore && !c.IsControl)];
        yield return IntolerantTask(claims, curves);
        yield return SparseOverDense(claims, curves);
    }

    // A configuration is a model, a method and a length. That one of its tasks loses more than the margin is shown at a part of the level each; that none does is shown for each task.
    private static FindingDraft IntolerantTask(FindingClaims claims, FindingCurve[] curves)
    {
        const string Name = "IntolerantTask";
        const string Claim = "Nearly every configuration has a task that does not tolerate a fifth of the attention";
        const string Source = "version 1, figure 3";
        string measure = Invariant($"share of configurations with a task that is shown to lose more than {Margin} at sparsity {Fifth}; the interval ends with the share not shown to tolerate it on every task");
        var configurations = curves.Where(c => c.At(Fifth) is not null).GroupBy(c => (c.Model, c.Method, c.IsPrefill, c.Cell.Length))
            .Select(g => (g.Key, Tests: g.Select(Test).OfType<FindingTest>().ToArray(), Curves: g.ToArray()))
            .Where(g => g.Tests.Length >= 2)
            .ToArray();
        if (configurations.Length == 0)
        {
            return claims.Absent(Name, Claim, Source, measure, [], Invariant($"no model, method and length with two tasks that reach sparsity {Fifth}"));
        }

        double[] fails = MultipleTests.Holm([.. configurations.Select(c => Math.Min(1, c.Tests.Length * c.Tests.Min(t => t.PValueAbove(Margin))))]);
        double[] holds = MultipleTests.Holm([.. configurations.Select(c => c.Tests.Max(t => t.PValueBelow(Margin)))]);
        int failing = fails.Count(p => p < FindingDraft.Level);
        int tolerant = holds.Count(p => p < FindingDraft.Level);
        double low = (double)failing / configurations.Length;
        double high = 1 - ((double)tolerant / configurations.Length);
        (string, FindingCell)[] cells = [.. configurations.SelectMany(c => c.Curves).Select(c => (c.Model, c.Cell)).Distinct()];
        SparsityFinding finding = claims.Plain(
            Name, Claim, Source, measure, cells, Invariant($"{Counted.Of(configurations.Length, "configuration")}: {string.Join(", ", configurations.Select(c => c.Key.Model).Distinct())}; {string.Join(", ", configurations.Select(c => c.Key.Method).Distinct())}; {string.Join(", ", configurations.Select(c => c.Key.Length).Distinct().Order())} tokens")) with
        {
            Estimate = low,
            Low = low,
            High = high,
            SampleCount = configurations.SelectMany(c => c.Tests).Min(t => t.SampleCount),
            ForcedCount = claims.Data.Forced.Count,
            Message = Invariant($"{failing} of {configurations.Length} are shown to have such a task, {tolerant} to have none"),
        };

        // The smallest level at which as many are shown as the claim needs, or as refute it: were it false, one of these would be shown falsely, which the adjustment holds at that level.
        // The level itself is shared with all other claims, as theirs is with these.
        int needed = (int)Math.Ceiling((NearlyEvery * configurations.Length) - 1e-9);
        return new FindingDraft(finding, fails.Order().ElementAt(needed - 1), holds.Order().ElementAt(configurations.Length - needed));

        static FindingTest? Test(FindingCurve curve)
        {
            double[] losses = [.. curve.Dense.Scores.Zip(curve.At(Fifth)!, (d, s) => d - s).Where(l => !double.IsNaN(l))];
            return losses.Length == 0 ? null : new FindingTest(losses, 1);
        }
    }

    // Gains are no cause for joy: where a random choice gains as well, what was gained is not the method's.
    private static FindingDraft SparseOverDense(FindingClaims claims, FindingCurve[] curves)
    {
        const string Name = "NoneOverDense";
        const string Claim = "No sparse method scores more than dense attention";
        const string Source = "control";
        const string Measure = "largest gain over dense attention of a method in a cell";
        (FindingCurve Curve, FindingLevel Level, FindingTest Test)[] all = [.. curves.SelectMany(c => c.Levels.Select(l => (c, l, Test(c, l.Scores)))).Where(t => t.Item3 is not null).Select(t => (t.c, t.l, t.Item3!))];
        if (all.Length == 0)
        {
            return claims.Absent(Name, Claim, Source, Measure, []);
        }

        double[] adjusted = MultipleTests.Holm([.. all.Select(t => t.Test.PValueAbove(0))]);
        int[] gains = [.. Enumerable.Range(0, all.Length).Where(i => adjusted[i] < FindingDraft.Level).OrderByDescending(i => all[i].Test.Difference)];
        var largest = all.MaxBy(t => t.Test.Difference);
        (string, FindingCell)[] cells = [.. all.Select(t => (t.Curve.Model, t.Curve.Cell)).Distinct()];
        SparsityFinding finding = claims.Plain(Name, Claim, Source, Measure, cells, Invariant($"{Counted.Of(all.Length, "run")}: {string.Join(", ", all.Select(t => t.Curve.Model).Distinct())}; {string.Join(", ", all.Select(t => t.Curve.Cell.Task).Distinct())}; {string.Join(", ", all.Select(t => t.Curve.Cell.Length).Distinct().Order())} tokens")) with
        {
            Estimate = largest.Test.Difference,
            Low = largest.Test.Low,
            High = largest.Test.High,
            SampleCount = largest.Test.SampleCount,
            ForcedCount = claims.Data.Forced.Count,
            Message = gains.Length == 0
                ? Invariant($"none of {Counted.Of(all.Length, "run")} is shown above its dense run; the largest gain: {Investigate(claims, largest.Curve, largest.Level, largest.Test)}")
                : Invariant($"{gains.Length} of {Counted.Of(all.Length, "run")} {(gains.Length == 1 ? "is shown above its" : "are shown above their")} dense run: ") + string.Join("; ", gains.Take(5).Select(i => Investigate(claims, all[i].Curve, all[i].Level, all[i].Test))),
        };

        // Excluded in every run at once, each at its part of the level.
        double excluded = all.Max(t => t.Test.PValueBelow(FindingDraft.Resolution));
        return new FindingDraft(finding, excluded, adjusted.Min());
    }

    private static string Investigate(FindingClaims claims, FindingCurve curve, FindingLevel level, FindingTest test)
    {
        string random = claims.Data.Curve(curve.Model, curve.Cell, "Random", curve.IsPrefill)?.At(level.Sparsity) is { } scores && Test(curve, scores) is { } control
            ? Invariant($"Random {control.Difference:+0.000;-0.000;0.000}{(control.Low > 0 ? ", so that the choice is not the reason" : "")}")
            : "without Random beside it";
        return Invariant($"{curve.Method} at {level.Sparsity:F2}, {curve.Model}, {curve.Cell.Task}, {curve.Cell.Length} tokens {test.Difference:+0.000;-0.000;0.000} ({random})");
    }

    private static FindingTest? Test(FindingCurve curve, double[] scores)
    {
        double[] gains = [.. scores.Zip(curve.Dense.Scores, (s, d) => s - d).Where(g => !double.IsNaN(g))];
        return gains.Length == 0 ? null : new FindingTest(gains, 1);
    }
}
