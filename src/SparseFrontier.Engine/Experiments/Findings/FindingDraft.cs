using SparseFrontier.Analysis;

namespace SparseFrontier.Experiments.Findings;

/// <summary>A finding before its label, which depends on all others tested beside it.</summary>
/// <param name="Finding">All but label and adjusted p value.</param>
/// <param name="Agrees">P value of the claim's opposite; null where it cannot be tested.</param>
/// <param name="Disagrees">P value of "the claim holds, by the difference that is looked for".</param>
/// <param name="Needed">Samples that would decide it at a level; asked only where it is not decided.</param>
internal sealed record FindingDraft(SparsityFinding Finding, double? Agrees, double? Disagrees, Func<double, int?>? Needed = null)
{
    /// <summary>The difference that is looked for: where one as large is excluded, a claim of a difference is refuted.</summary>
    public const double Resolution = 0.03;

    /// <summary>Level of all findings together, one-sided.</summary>
    public const double Level = 0.05;

    /// <summary>Labels drafts: the chance of any false label of a kind is at most <see cref="Level"/> (Holm).</summary>
    public static IEnumerable<SparsityFinding> Label(IReadOnlyList<FindingDraft> drafts)
    {
        double?[] agrees = Adjust([.. drafts.Select(d => d.Agrees)]);
        double?[] disagrees = Adjust([.. drafts.Select(d => d.Disagrees)]);
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
                NeededSampleCount = label == FindingLabel.Underpowered ? drafts[i].Needed?.Invoke(Level / drafts.Count(d => d.Agrees is not null)) : null,
            };
        }
    }

    private static double?[] Adjust(double?[] values)
    {
        double[] adjusted = MultipleTests.Holm([.. values.OfType<double>()]);
        int next = 0;
        return [.. values.Select(v => v is null ? (double?)null : adjusted[next++])];
    }
}
