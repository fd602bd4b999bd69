using SparseFrontier.Analysis;
using static System.FormattableString;

namespace SparseFrontier.Experiments.Findings;

/// <summary>Claims about the length of prompts and the size of models.</summary>
internal static class LengthFindings
{
    /// <summary>What the paper's figures of errors begin with, and what small lengths can hold.</summary>
    private const double HighSparsity = 0.8;

    /// <summary>The relative error whose budget is looked for.</summary>
    private const double TargetError = 0.1;

    private const double NearCeiling = 0.9;
    private const double NearFloor = 0.7;

    /// <summary>The claims.</summary>
    /// <param name="claims">What they are made of.</param>
    /// <param name="sizes">The same with every training of a size, for claims about sizes.</param>
    public static IEnumerable<FindingDraft> Of(FindingClaims claims, FindingClaims sizes)
    {
        yield return LongerTolerates(claims);
        yield return Exponent(claims);
        yield return Size(sizes, "SizeNearCeiling", "Where all models are near perfect, the larger loses less", dense => dense >= NearCeiling, largerLosesLess: true);
        yield return Size(sizes, "SizeNearFloor", "Where all models are far from perfect, the larger loses more", dense => dense < NearFloor, largerLosesLess: false);
    }

    // Errors of the shortest length less those of the longest. Samples of two lengths are other questions: which are put together does not matter to the mean, nor to its test.
    private static FindingDraft LongerTolerates(FindingClaims claims)
    {
        const string Name = "LongerTolerates";
        const string Claim = "Longer sequences tolerate more sparsity";
        const string Measure = "relative error at the shortest length less that at the longest, at equal sparsity";
        (FindingCurve Short, FindingCurve Long)[] pairs = [.. Series(claims).Where(s => s[0].Cell.Length < s[^1].Cell.Length).Select(s => (s[0], s[^1]))];
        if (pairs.Length == 0)
        {
            return claims.Absent(Name, Claim, "4.3", Measure, [], "no method was run on the same task at two lengths in the same way");
        }

        // A relative error lies between -1 and 1 over the dense score: the difference of two, between the sums of both.
        var contrast = new FindingContrast();
        foreach ((FindingCurve shorter, FindingCurve longer) in pairs)
        {
            double range = (1 / shorter.DenseMean) + (1 / longer.DenseMean);
            foreach (double sparsity in FindingClaims.Levels(shorter, longer, HighSparsity))
            {
                contrast.Add(longer, sparsity, Errors(shorter, sparsity), Errors(longer, sparsity), range);
            }
        }

        FindingDraft draft = claims.Over(Name, Claim, "4.3", Measure, contrast);
        return draft with { Finding = draft.Finding with { Cells = Invariant($"{draft.Finding.Cells}; compared with {string.Join(", ", pairs.Select(p => p.Short.Cell.Length).Distinct().Order())} tokens") } };
    }

    private static double[] Errors(FindingCurve curve, double sparsity)
    {
        double dense = curve.DenseMean;
        return [.. curve.Dense.Scores.Zip(curve.At(sparsity)!, (d, s) => (d - s) / dense)];
    }

    // Series over lengths, all asked in the same way, by rising length.
    private static IEnumerable<FindingCurve[]> Series(FindingClaims claims) => claims.Data.Curves
        .Where(c => !c.Cell.IsCompressedBefore && c.Variant.Length == 0 && !c.IsControl)
        .GroupBy(c => (c.Model, c.Method, c.IsPrefill, c.Cell.Task, c.Cell.Seed, c.Cell.Protocol))
        .Select(g => g.OrderBy(c => c.Cell.Length).ToArray());

    // Over all series that have every length: where the mean relative error crosses the target, in tokens, and how that grows.
    private static FindingDraft Exponent(FindingClaims claims)
    {
        const string Name = "BudgetExponent";
        const string Claim = "The budget must grow with the length, but more slowly";
        string measure = Invariant($"exponent of the tokens needed for a relative error of {TargetError}, over lengths");
        FindingCurve[][] all = [.. Series(claims)];
        int[] lengths = [.. all.SelectMany(s => s).Select(c => c.Cell.Length).Distinct().Order()];
        FindingCurve[][] whole = [.. all.Where(s => s.Length == lengths.Length)];
        if (lengths.Length < 3 || whole.Length == 0)
        {
            return claims.Absent(Name, Claim, "4.3", measure, [], "no method was run on the same task at three lengths and at all that others were, in the same way");
        }

        double[] levels = [.. FindingsGrid.Sparsities.Where(s => whole.All(series => series.All(c => c.At(s) is not null)))];
        if (levels.Length == 0)
        {
            return claims.Absent(Name, Claim, "4.3", measure, [], "no sparsity is reached by every method at every length");
        }

        var scores = whole.SelectMany(s => s).ToDictionary(c => c, c => levels.Select(s => c.At(s)!).ToArray());
        var draws = new FindingDraws(whole.SelectMany(s => s).GroupBy(c => c.Cell).ToDictionary(g => g.Key, g => g.Min(c => c.Dense.Scores.Length)));
        double?[] figures = draws.Figures(Figure);
        double? estimate = draws.Figure(Figure);
        (string, FindingCell)[] cells = [.. whole.SelectMany(s => s).Select(c => (c.Model, c.Cell)).Distinct()];
        SparsityFinding finding = claims.Plain(
            Name, Claim, "4.3", measure, cells, Invariant($"{string.Join(", ", cells.Select(c => c.Item1).Distinct())}; {string.Join(", ", cells.Select(c => c.Item2.Task).Distinct())}; {string.Join(", ", lengths)} tokens")) with
        {
            SampleCount = draws.SampleCount,
        };
        double[] known = [.. figures.OfType<double>()];
        if (estimate is null || known.Length < figures.Length * 9 / 10)
        {
            return new FindingDraft(finding with { Estimate = estimate, Message = Invariant($"at some length no tested sparsity loses {TargetError} of the dense score, so that the budget needed is below those tested") }, 1, 1);
        }

        (double low, double high) = PairedBootstrap.Interval(known);
        int unknown = figures.Length - known.Length;
        if (!draws.AreEnough)
        {
            return new FindingDraft(finding with { Estimate = estimate, Low = low, High = high, Message = Invariant($"resamples of fewer than {FindingDraws.FewestSamples} samples a cell show nothing") }, 1, 1);
        }

        double Share(Func<double, bool> holds) => (1.0 + unknown + known.Count(holds)) / (figures.Length + 1);
        return new FindingDraft(
            finding with { Estimate = estimate, Low = low, High = high, Message = "0 is a fixed budget, 1 a fixed share of the prompt; the paper's three points give about 0.5" },
            Math.Min(1, 2 * Math.Max(Share(e => e <= 0), Share(e => e >= 1))),
            Math.Min(1, 2 * Math.Min(Share(e => e < 1), Share(e => e > 0))));

        double? Figure(IReadOnlyDictionary<FindingCell, int[]> weights)
        {
            double[] needed = new double[lengths.Length];
            for (int l = 0; l < lengths.Length; l++)
            {
                double before = 0;
                double errorBefore = 0;
                double? density = null;
                for (int i = 0; i < levels.Length && density is null; i++)
                {
                    double error = whole.Select(s => s[l]).Average(c => 1 - (FindingDraws.Mean(scores[c][i], weights[c.Cell]) / FindingDraws.Mean(c.Dense.Scores, weights[c.Cell])));
                    if (error > TargetError)
                    {
                        double share = error > errorBefore ? Math.Clamp((TargetError - errorBefore) / (error - errorBefore), 0, 1) : 0;
                        density = 1 - (before + (share * (levels[i] - before)));
                    }

                    (before, errorBefore) = (levels[i], error);
                }

                if (density is not { } found)
                {
                    return null;
                }

                needed[l] = Math.Log(found * lengths[l]);
            }

            return LineFit.Of([.. lengths.Select(l => Math.Log(l))], needed).Slope;
        }
    }

    // The absolute error of the smallest models less that of the largest, or the other way round; all were asked the same questions.
    private static FindingDraft Size(FindingClaims claims, string name, string claim, Func<double, bool> applies, bool largerLosesLess)
    {
        const string Source = "D.4";
        string measure = largerLosesLess ? "absolute error of the smallest model less that of the largest, at equal sparsity" : "absolute error of the largest model less that of the smallest, at equal sparsity";
        var contrast = new SizeContrast(claims.Data, 2);
        bool any = false;
        foreach (var cell in claims.Data.Curves.Where(c => !c.Cell.IsCompressedBefore && c.Variant.Length == 0 && !c.IsControl).GroupBy(c => (c.Cell, c.Method, c.IsPrefill)))
        {
            FindingCurve[][] bySize = [.. claims.Data.BySize(cell.Select(c => c.Model)).Select(trainings => trainings.SelectMany(m => cell.Where(c => c.Model == m)).ToArray())];
            any |= bySize.Length > 1;
            if (bySize.Length < 2 || !cell.All(m => applies(m.DenseMean)))
            {
                continue;
            }

            foreach ((FindingCurve small, FindingCurve large) in bySize[0].SelectMany(s => bySize[^1], (s, l) => (s, l)))
            {
                foreach (double sparsity in FindingClaims.Levels(small, large, HighSparsity))
                {
                    contrast.Add(small.Model, large, sparsity, Losses(largerLosesLess ? small : large, sparsity), Losses(largerLosesLess ? large : small, sparsity));
                }
            }
        }

        return contrast.IsEmpty
            ? claims.Absent(name, claim, Source, measure, [], any ? Invariant($"no task on which all models score {(largerLosesLess ? Invariant($"{NearCeiling} or more") : Invariant($"less than {NearFloor}"))} and clearly above chance") : "no two models were asked the same questions")
            : contrast.Over(claims, name, claim, Source, measure);

        static double[] Losses(FindingCurve curve, double sparsity) => [.. curve.Dense.Scores.Zip(curve.At(sparsity)!, (d, s) => d - s)];
    }
}
