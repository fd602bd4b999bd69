using SparseFrontier.Analysis;

namespace SparseFrontier.Experiments.Findings;

/// <summary>A finding before its label, which depends on all others tested beside it.</summary>
/// <param name="Finding">All but label and adjusted p value.</param>
/// <param name="Agrees">P value of the claim's opposite; null where it cannot be tested.</param>
/// <param name="Disagrees">P value of "the claim holds, by the difference that is looked for".</param>
/// <param name="Sides">What these p values are of, for and against the claim, where they are of means of differences.</param>
internal sealed record FindingDraft(SparsityFinding Finding, double? Agrees, double? Disagrees, (FindingSide For, FindingSide Against)? Sides = null)
{
    /// <summary>A finding that differences decide.</summary>
    /// <param name="finding">All but label and adjusted p value.</param>
    /// <param name="for">What shows the claim.</param>
    /// <param name="against">What refutes it.</param>
    public FindingDraft(SparsityFinding finding, FindingSide @for, FindingSide against)
        : this(finding with { RunSampleCountLow = Runs(@for, against).Min(t => t.RunSampleCountLow), RunSampleCountHigh = Runs(@for, against).Max(t => t.RunSampleCountHigh) }, @for.PValue, against.PValue, (@for, against))
    {
    }

    /// <summary>The difference that is looked for: where one as large is excluded, a claim of a difference is refuted.</summary>
    public const double Resolution = 0.03;

    /// <summary>Level of all findings together, one-sided.</summary>
    public const double Level = 0.05;

    /// <summary>Labels drafts: the chance of any false label of a kind is at most <see cref="Level"/> (Holm).</summary>
    public static IEnumerable<SparsityFinding> Label(IReadOnlyList<FindingDraft> drafts)
    {
        double?[] raw = [.. drafts.Select(d => d.Agrees)];
        double?[] refuting = [.. drafts.Select(d => d.Disagrees)];
        double?[] agrees = Adjust(raw);
        double?[] disagrees = Adjust(refuting);
        for (int i = 0; i < drafts.Count; i++)
        {
            FindingLabel label = drafts[i].Agrees is null ? FindingLabel.NotTestable
                : agrees[i] < Level ? FindingLabel.Agrees
                : disagrees[i] < Level ? FindingLabel.Disagrees
                : FindingLabel.Underpowered;
            yield return drafts[i].Finding with
            {
                Label = label,
                PValue = agrees[i],
                NeededSampleCount = label == FindingLabel.Underpowered && drafts[i].Sides is { } sides
                    ? FindingPower.SamplesNeeded((sides.For, LevelOf(raw, i)), (sides.Against, LevelOf(refuting, i)))
                    : null,
            };
        }
    }

    private static IEnumerable<FindingTest> Runs(FindingSide @for, FindingSide against) => @for.Questions.Concat(against.Questions).Select(q => q.Test);

    /// <summary>The level below which a p value would be claimed, all others being as they are.</summary>
    private static double LevelOf(double?[] values, int index) => MultipleTests.HolmLevel([.. values.Where((v, i) => i != index).OfType<double>()], Level);

    private static double?[] Adjust(double?[] values)
    {
        double[] adjusted = MultipleTests.Holm([.. values.OfType<double>()]);
        int next = 0;
        return [.. values.Select(v => v is null ? (double?)null : adjusted[next++])];
    }
}
