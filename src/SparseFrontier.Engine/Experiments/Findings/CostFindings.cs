using SparseFrontier.Analysis;
using SparseFrontier.Attention;
using static System.FormattableString;

namespace SparseFrontier.Experiments.Findings;

/// <summary>
/// Claims about equal cost, for each length apart. A length says nothing of another model's cost: findings name the share of attention in it, and where Qwen2.5-7B has the same.
/// </summary>
internal static class CostFindings
{
    /// <summary>The batch of the paper's figure of decode costs (version 3).</summary>
    private const int PaperBatch = 64;

    private const string Reference = "Qwen2.5-7B";

    private const double BestLow = 0.8;
    private const double BestHigh = 0.93;

    /// <summary>The claims.</summary>
    /// <param name="claims">What they are made of.</param>
    /// <param name="sizes">The same with every training of a size, for claims about sizes.</param>
    public static IEnumerable<FindingDraft> Of(FindingClaims claims, FindingClaims sizes)
    {
        var costs = new RequestCosts(1, 1);
        int[] lengths = [.. sizes.Data.Cells.Select(c => c.Cell.Length).Distinct().Order()];
        foreach (int length in lengths.DefaultIfEmpty(0))
        {
            yield return EqualCost(sizes, costs, length, "VerticalSlash", true);
        }

        foreach (int length in lengths.DefaultIfEmpty(0))
        {
            yield return EqualCost(sizes, costs, length, "Quest", false);
        }

        foreach (int length in lengths.DefaultIfEmpty(0))
        {
            yield return BestSparsity(claims, costs, length);
        }
    }

    // A larger model at the sparsity at which it costs as much as a smaller dense one, less that one, for every two models.
    private static FindingDraft EqualCost(FindingClaims claims, RequestCosts costs, int length, string method, bool isPrefill)
    {
        string name = isPrefill ? "LargerSparsePrefill" : "LargerSparseDecode";
        string claim = $"At equal cost of {(isPrefill ? "prefill" : "decode")} a larger sparse model over a smaller dense one";
        const string Source = "4.1";
        string measure = $"mean score with {method} less that of a smaller dense model of the same cost";
        string cost = isPrefill ? RequestCost.PrefillFlopsName : RequestCost.DecodeBytesName;
        var contrast = new SizeContrast(claims.Data);
        int beyond = 0;
        int pairs = 0;
        int full = 0;
        foreach (FindingCurve curve in claims.Data.Curves.Where(c => c.Cell.Length == length && c.Method == method && c.IsPrefill == isPrefill && c.Variant.Length == 0 && !c.Cell.IsCompressedBefore))
        {
            foreach (string smaller in claims.Data.Models.Where(m => claims.Data.IsSmaller(m, curve.Model)))
            {
                if (claims.Data.Dense(smaller, curve.Cell) is not { } dense)
                {
                    continue;
                }

                pairs++;
                if (SparsityOfCost(curve, costs, cost, costs.Of(dense.Row, cost)) is { } sparsity)
                {
                    contrast.Add(smaller, curve, sparsity, curve.At(sparsity)!, dense.Scores);
                    full += BoundedMean.PValue([.. dense.Scores.Where(s => !double.IsNaN(s))], 1, 1 - FindingDraft.Resolution) < FindingDraft.Level ? 0 : 1;
                }
                else
                {
                    beyond++;
                }
            }
        }

        FindingDraft draft = contrast.IsEmpty
            ? claims.Absent(name, claim, Source, measure, [method], pairs == 0 ? Invariant($"no two models of different sizes with {method} and dense runs of the same questions, each clearly above chance, at {length} tokens") : Invariant($"no sparsity that was run makes a larger model cost as little as a smaller dense one at {length} tokens"))
            : contrast.Over(claims, name, claim, Source, measure);
        string said = beyond > 0 && !contrast.IsEmpty ? Invariant($"; {beyond} of {Counted.Of(pairs, "pair")} of models and tasks cannot be made to cost the same by a sparsity that was run") : "";

        // Told and not left out: which pairs these are, the same scores say that the claim is judged by.
        string left = full > 0 ? Invariant($"; in {full} of {Counted.Of(pairs - beyond, "pair")} compared the smaller model is not shown to leave room for {FindingDraft.Resolution} above its dense score") : "";
        return draft with { Finding = WithShare(draft.Finding with { Message = draft.Finding.Message + said + left }, claims, length, isPrefill) };
    }

    /// <summary>Where a curve costs as much as asked, linear between its runs; null where it does not, is cheaper without any sparsity, or was not run near there.</summary>
    private static double? SparsityOfCost(FindingCurve curve, RequestCosts costs, string name, double? wanted)
    {
        FindingLevel before = curve.Dense;
        if (wanted is not { } target || costs.Of(before.Row, name) is not { } costBefore || costBefore <= target)
        {
            return null;
        }

        foreach (FindingLevel level in curve.Levels)
        {
            if (costs.Of(level.Row, name) is not { } cost)
            {
                return null;
            }

            if (cost <= target)
            {
                double share = costBefore > cost ? (costBefore - target) / (costBefore - cost) : 1;
                double sparsity = before.Sparsity + (share * (level.Sparsity - before.Sparsity));
                return level.Sparsity - before.Sparsity <= FindingCurve.WidestStep || curve.Measures(sparsity) ? sparsity : null;
            }

            (before, costBefore) = (level, cost);
        }

        return null;
    }

    // The sparsest run of the largest model that no run of any model beats in both cost and score, means over the tasks that all models do.
    private static FindingDraft BestSparsity(FindingClaims claims, RequestCosts costs, int length)
    {
        const string Name = "BestPrefillSparsity";
        string claim = Invariant($"The sparsest prefill worth its cost leaves out {BestLow} to {BestHigh}");
        const string Source = "4.1";
        const string Measure = "largest sparsity of VerticalSlash on the frontier of score and operations, over models";
        FindingCurve[] curves = [.. claims.Data.Curves.Where(c => c.Cell.Length == length && c is { Method: "VerticalSlash", IsPrefill: true, Variant: "" } && !c.Cell.IsCompressedBefore)];
        string[] models = [.. claims.Data.Models.Where(m => curves.Any(c => c.Model == m))];
        FindingCell[] cells = [.. curves.GroupBy(c => c.Cell).Where(g => g.Count() == models.Length).Select(g => g.Key)];
        curves = [.. curves.Where(c => cells.Contains(c.Cell))];
        double[] levels = [.. FindingsGrid.Sparsities.Where(s => curves.Length > 0 && curves.All(c => c.At(s) is not null))];
        if (models.Length < 2 || levels.Length == 0 || levels[^1] < BestHigh)
        {
            string why = models.Length < 2 || cells.Length == 0 ? Invariant($"fewer than two models do the same task with VerticalSlash at {length} tokens")
                : Invariant($"not every run reaches {BestHigh} at {length} tokens");
            FindingDraft absent = claims.Absent(Name, claim, Source, Measure, ["VerticalSlash"], why);
            return absent with { Finding = WithShare(absent.Finding, claims, length, true) };
        }

        // Means over the cells of each model and sparsity, dense attention first.
        double[] sparsities = [0, .. levels];
        (string Model, double Sparsity, double Cost, FindingCurve[] Curves)[] points = [.. models.SelectMany(m => sparsities.Select(s => (
            m, s, curves.Where(c => c.Model == m).Average(c => CostAt(c, s)), curves.Where(c => c.Model == m).ToArray())))];
        double[][][] scores = [.. points.Select(p => p.Curves.Select(c => p.Sparsity == 0 ? c.Dense.Scores : c.At(p.Sparsity)!).ToArray())];
        var draws = new FindingDraws(curves.GroupBy(c => c.Cell).ToDictionary(g => g.Key, g => g.Min(c => c.Dense.Scores.Length)));
        double estimate = draws.Figure(Best)!.Value;
        double[] figures = [.. draws.Figures(Best).OfType<double>()];
        (double low, double high) = PairedBootstrap.Interval(figures);
        int inside = figures.Count(f => f is >= BestLow and <= BestHigh);
        (string Model, FindingCell Cell)[] used = [.. curves.Select(c => (c.Model, c.Cell))];
        SparsityFinding finding = claims.Plain(Name, claim, Source, Measure, used, Invariant($"{string.Join(", ", models)}; {string.Join(", ", cells.Select(c => c.Task).Distinct())}; {length} tokens; sparsity 0 to {levels[^1]}")) with
        {
            Estimate = estimate,
            Low = low,
            High = high,
            SampleCount = draws.SampleCount,
            Message = draws.AreEnough ? "" : Invariant($"resamples of fewer than {FindingDraws.FewestSamples} samples a cell show nothing"),
            ForcedCount = claims.Data.Forced.Count(r => r.Method == "VerticalSlash"),
        };
        return !draws.AreEnough ? new FindingDraft(WithShare(finding, claims, length, true), 1, 1) : new FindingDraft(WithShare(finding, claims, length, true), (figures.Length - inside + 1.0) / (figures.Length + 1), (inside + 1.0) / (figures.Length + 1));

        double CostAt(FindingCurve curve, double sparsity)
        {
            // The nearest run's index cost with the operations of this sparsity: they are linear between runs.
            FindingLevel below = curve.Levels.LastOrDefault(l => l.Sparsity <= sparsity + 1e-9) ?? curve.Dense;
            FindingLevel above = curve.Levels.FirstOrDefault(l => l.Sparsity >= sparsity - 1e-9) ?? curve.Levels[^1];
            double a = costs.Of(below.Row, RequestCost.PrefillFlopsName) ?? double.NaN;
            double b = costs.Of(above.Row, RequestCost.PrefillFlopsName) ?? double.NaN;
            return above.Sparsity > below.Sparsity ? a + ((sparsity - below.Sparsity) / (above.Sparsity - below.Sparsity) * (b - a)) : a;
        }

        double? Best(IReadOnlyDictionary<FindingCell, int[]> weights)
        {
            double[] means = [.. points.Select((p, i) => p.Curves.Select((c, j) => FindingDraws.Mean(scores[i][j], weights[c.Cell])).Average())];
            double best = 0;
            for (int i = 0; i < points.Length; i++)
            {
                bool beaten = Enumerable.Range(0, points.Length).Any(j => j != i && points[j].Cost <= points[i].Cost && means[j] >= means[i] && (points[j].Cost < points[i].Cost || means[j] > means[i]));
                if (points[i].Model == models[^1] && !beaten)
                {
                    best = Math.Max(best, points[i].Sparsity);
                }
            }

            return best;
        }
    }

    private static SparsityFinding WithShare(SparsityFinding finding, FindingClaims claims, int length, bool isPrefill)
    {
        if (claims.Data.Models.Count == 0 || length == 0)
        {
            return finding;
        }

        string largest = claims.Data.Models[^1];
        try
        {
            double share = Share(ModelShapes.Resolve(largest), length, 1, isPrefill);
            int? equivalent = EquivalentLength(share, isPrefill);
            return finding with { AttentionShare = share, EquivalentLength = equivalent, EquivalentBatch = isPrefill ? 1 : PaperBatch };
        }
        catch (SparseFrontierException)
        {
            // A model whose sizes are not known here; its cost was not either.
            return finding;
        }
    }

    /// <summary>The share of attention in a dense cost: of scores and values in operations, or of keys and values in bytes.</summary>
    internal static double Share(ModelShape shape, int length, int batch, bool isPrefill)
    {
        if (isPrefill)
        {
            PrefillMethod dense = MethodRegistry.FindPrefill("Dense");
            PrefillCost cost = CostModel.Prefill(shape, length, batch, dense, dense.CreateParameters(), 0, CostFormula.Exact);
            return cost.Attention / cost.Total;
        }

        DecodeMethod step = MethodRegistry.FindDecode("Dense");
        DecodeCost read = CostModel.Decode(shape, length, batch, step, step.CreateParameters(), 0, CostFormula.Exact, 2, 2);
        return read.KeyValue / read.Total;
    }

    /// <summary>The length at which Qwen2.5-7B has a share of attention, in decode in a batch of 64; null where it has it at no length up to 16 million tokens.</summary>
    internal static int? EquivalentLength(double share, bool isPrefill)
    {
        ModelShape reference = ModelShapes.Resolve(Reference);
        int batch = isPrefill ? 1 : PaperBatch;
        int low = 1;
        int high = 1 << 24;
        if (Share(reference, high, batch, isPrefill) < share || Share(reference, low, batch, isPrefill) > share)
        {
            return null;
        }

        while (high - low > 1)
        {
            int middle = low + ((high - low) / 2);
            (low, high) = Share(reference, middle, batch, isPrefill) < share ? (middle, high) : (low, middle);
        }

        return high;
    }
}
