using static System.FormattableString;

namespace SparseFrontier.Experiments.Findings;

/// <summary>Claims about methods beside each other, phases beside each other, and the paper's ablations.</summary>
internal static class MethodFindings
{
    private const string Difference = "difference of mean scores at equal sparsity";

    private static readonly string[] s_prefill = ["VerticalSlash", "BlockSparse", "FlexPrefill"];
    private static readonly string[] s_decode = ["Quest", "AdaSnapKV", "SnapKV"];
    private static readonly string[] s_retrieval = ["Niah", "StoryRetrieval"];
    private static readonly string[] s_tracking = ["VariableTracking", "StoryFiltering"];

    // Method, parameter, whether it is a prefill method, what the paper chose, and what else it tried; section 3.4, appendix C of version 3.
    private static readonly (string Method, bool IsPrefill, string Chosen, string[] Others)[] s_ablations =
    [
        ("BlockSparse", true, "blocks of 16", ["BlockSize=32", "BlockSize=64"]),
        ("Quest", false, "pages of 16", ["PageSize=32", "PageSize=64"]),
        ("AdaSnapKV", false, "a floor of 0.2 of the mean", ["MinimumHeadRatio=0.1", "MinimumHeadRatio=0.3", "MinimumHeadRatio=0.5", "MinimumHeadRatio=0.99"]),
        ("FlexPrefill", true, "a floor of 512", ["MinimumBudget=128", "MinimumBudget=256"]),
        ("SnapKV", false, "a window of 256", ["Window=64", "Window=128", "Window=512"]),
        ("SnapKV", false, "an average over 21", ["KernelSize=5", "KernelSize=7", "KernelSize=13"]),
        ("VerticalSlash", true, "a window of 512 for retrieval and 256 elsewhere", ["Window=128", "Window=256", "Window=512", "Window=1024"]),
    ];

    /// <summary>The claims.</summary>
    public static IEnumerable<FindingDraft> Of(FindingClaims claims)
    {
        yield return Phases(claims, "DecodeOverPrefill", "Decode tolerates more sparsity than prefill", compressed: false);
        yield return Phases(claims, "DecodeOverPrefillUnseen", "Decode tolerates more sparsity than prefill where the cache is compressed before the question is known", compressed: true);

        FindingContrast retrieval = claims.Compare("VerticalSlash", "BlockSparse", true, c => Usual(c) && s_retrieval.Contains(c.Task));
        FindingContrast tracking = claims.Compare("BlockSparse", "VerticalSlash", true, c => Usual(c) && s_tracking.Contains(c.Task));
        yield return NoWinner(claims, retrieval, tracking);
        yield return claims.Over("VerticalSlashOnRetrieval", "VerticalSlash over BlockSparse on retrieval", "4.2", Difference, retrieval, "VerticalSlash", "BlockSparse");
        yield return claims.Over("BlockSparseOnTracking", "BlockSparse over VerticalSlash on tracking and filtering", "4.2", Difference, tracking, "VerticalSlash", "BlockSparse");
        yield return claims.NotOver("FlexPrefillNotOver", "FlexPrefill not over VerticalSlash", "4.2", Difference, claims.Compare("FlexPrefill", "VerticalSlash", true, Usual), "FlexPrefill", "VerticalSlash");
        yield return claims.Over("QuestOverAdaSnapKV", "Quest over AdaSnapKV, but for Niah", "4.2", Difference, claims.Compare("Quest", "AdaSnapKV", false, c => Usual(c) && c.Task != "Niah"), "Quest", "AdaSnapKV");
        yield return claims.Over("AdaSnapKVOverSnapKV", "AdaSnapKV over SnapKV", "4.2", Difference, claims.Compare("AdaSnapKV", "SnapKV", false, Usual), "AdaSnapKV", "SnapKV");
        yield return claims.Over("AdaSnapKVOverQuestOnNiah", "AdaSnapKV over Quest on Niah", "4.2", Difference, claims.Compare("AdaSnapKV", "Quest", false, c => Usual(c) && c.Task == "Niah"), "Quest", "AdaSnapKV");
        foreach (var ablation in s_ablations)
        {
            yield return Ablation(claims, ablation.Method, ablation.IsPrefill, ablation.Chosen, ablation.Others);
        }
    }

    private static bool Usual(FindingCell cell) => !cell.IsCompressedBefore;

    // The mean of the phase's methods that reach a sparsity, as the paper's figures have it. The dense score cancels: both are losses from the same run.
    private static FindingDraft Phases(FindingClaims claims, string name, string claim, bool compressed)
    {
        const string Measure = "mean score of the decode methods less that of the prefill methods at equal sparsity";
        var contrast = new FindingContrast();
        foreach ((string model, FindingCell cell) in claims.Data.Cells.Where(c => c.Cell.IsCompressedBefore == compressed))
        {
            FindingCurve[] prefill = [.. s_prefill.Select(m => claims.Data.Curve(model, cell, m, true)).OfType<FindingCurve>()];
            foreach (FindingCurve curve in s_decode.Select(m => claims.Data.Curve(model, cell, m, false)).OfType<FindingCurve>())
            {
                foreach (FindingCurve other in prefill)
                {
                    foreach (double sparsity in FindingClaims.Levels(curve, other))
                    {
                        contrast.Add(curve, sparsity, curve.At(sparsity)!, other.At(sparsity)!);
                    }
                }
            }
        }

        return contrast.IsEmpty
            ? claims.Absent(name, claim, "4.2; version 1, figure 3", Measure, [.. s_prefill, .. s_decode], compressed ? "no runs of both phases with CompressBefore Question" : null)
            : claims.Over(name, claim, "4.2; version 1, figure 3", Measure, contrast);
    }

    // Both halves are shown, or it is not: the larger p value needs no correction. One half that is refuted refutes it.
    private static FindingDraft NoWinner(FindingClaims claims, FindingContrast retrieval, FindingContrast tracking)
    {
        const string Name = "NoPrefillWinner";
        const string Claim = "No single prefill method wins every task: VerticalSlash on retrieval, BlockSparse on tracking and filtering";
        if (retrieval.IsEmpty || tracking.IsEmpty)
        {
            return claims.Absent(Name, Claim, "4.2", Difference, ["VerticalSlash", "BlockSparse"]);
        }

        FindingTest[] tests = [retrieval.Test(), tracking.Test()];
        int weaker = tests[0].Difference <= tests[1].Difference ? 0 : 1;
        SparsityFinding finding = claims.Describe(Name, Claim, "4.2", "the smaller of the two differences of mean scores", weaker == 0 ? retrieval : tracking, tests[weaker]);
        return new FindingDraft(
            finding with { Message = Invariant($"VerticalSlash gains {tests[0].Difference:+0.000;-0.000;0.000} on retrieval, BlockSparse {tests[1].Difference:+0.000;-0.000;0.000} on tracking and filtering") },
            FindingSide.Above(0, tests),
            FindingSide.Below(FindingDraft.Resolution, tests) with { IsEvery = false });
    }

    // Not worse than any other value by the difference that is looked for: each is shown. Refuted where one is shown to be better, each at its part of the level.
    private static FindingDraft Ablation(FindingClaims claims, string method, bool isPrefill, string chosen, string[] others)
    {
        string name = $"Ablation{method}{others[0][..others[0].IndexOf('=', StringComparison.Ordinal)]}";
        string claim = $"{method}: no other value loses less than {chosen}";
        const string Measure = "smallest difference of mean scores from another value at equal sparsity";
        (string Other, FindingContrast Contrast)[] compared = [.. others.Select(o => (o, claims.Compare(method, method, isPrefill, Usual, o))).Where(c => !c.Item2.IsEmpty)];
        if (compared.Length == 0)
        {
            FindingCurve[] curves = [.. claims.Data.Curves.Where(c => c.Method == method && c.IsPrefill == isPrefill && Usual(c.Cell) && others.Contains(c.Variant))];
            double most = curves.Length == 0 ? 0 : curves.Max(c => c.Levels.Max(l => l.Sparsity));
            string variants = string.Join(", ", curves.Length == 0 ? others : curves.Select(c => c.Variant).Distinct());
            string why = curves.Length == 0 ? $"no runs of {method} with {variants}"
                : most < FindingClaims.LeastSparsity ? Invariant($"{method} with {variants} leaves out {most:F2} at most, and below {FindingClaims.LeastSparsity} nothing is compared")
                : $"no cell in which {method} with {chosen} can be compared with {variants}";
            return claims.Absent(name, claim, "3.4", Measure, [], why);
        }

        FindingTest[] tests = [.. compared.Select(c => c.Contrast.Test())];
        int worst = Array.IndexOf(tests, tests.MinBy(t => t.Difference));
        SparsityFinding finding = claims.Describe(name, claim, "3.4", Measure, compared[worst].Contrast, tests[worst]);
        return new FindingDraft(
            finding with
            {
                Message = string.Join(", ", compared.Select((c, i) => Invariant($"{c.Other}: {tests[i].Difference:+0.000;-0.000;0.000}"))),
            },
            FindingSide.Above(-FindingDraft.Resolution, tests),
            FindingSide.Below(0, tests) with { IsEvery = false });
    }
}
