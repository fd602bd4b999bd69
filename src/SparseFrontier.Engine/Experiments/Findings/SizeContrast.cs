using static System.FormattableString;

namespace SparseFrontier.Experiments.Findings;

/// <summary>
/// Sizes of models beside each other. What holds of sizes holds whichever of their trainings stand for them: of several, every choice of one a size is compared, and the one that shows least decides.
/// </summary>
/// <param name="data">The curves, which know the sizes.</param>
/// <param name="range">The largest difference that is possible.</param>
internal sealed class SizeContrast(FindingData data, double range = 1)
{
    private readonly FindingContrast _all = new();
    private readonly List<(string Smaller, FindingCurve Larger, double Sparsity, double[] First, double[] Second)> _added = [];

    /// <summary>Whether nothing entered.</summary>
    public bool IsEmpty => _all.IsEmpty;

    /// <summary>Adds first - second of each sample that both have.</summary>
    /// <param name="smaller">A model.</param>
    /// <param name="larger">The curve of a larger one, whose cell and gains over controls the finding names.</param>
    /// <param name="sparsity">Sparsity.</param>
    /// <param name="first">Scores, or losses.</param>
    /// <param name="second">The same of the other model.</param>
    public void Add(string smaller, FindingCurve larger, double sparsity, double[] first, double[] second)
    {
        _all.Add(larger, sparsity, first, second, range);
        _added.Add((smaller, larger, sparsity, first, second));
    }

    /// <summary>A claim that the first scores more than the second, as <see cref="FindingClaims.Over"/>, over how many trainings it stands, and between which differences.</summary>
    public FindingDraft Over(FindingClaims claims, string name, string claim, string source, string measure)
    {
        FindingDraft draft = claims.Over(name, claim, source, measure, _all);
        string[][] sizes = data.BySize(_added.SelectMany(a => new[] { a.Smaller, a.Larger.Model }));
        FindingTest[] tests = [.. Choices(sizes).Select(Of).Where(c => !c.IsEmpty).Select(c => c.Test())];
        return new FindingDraft(
            draft.Finding with
            {
                Message = tests.Length > 1
                    ? Invariant($"{string.Join(" x ", sizes.Select(s => s.Length))} trainings of the sizes, every choice of one a size compared: {tests.Min(t => t.Difference):+0.000;-0.000;0.000} to {tests.Max(t => t.Difference):+0.000;-0.000;0.000}")
                    : "one training a size, so that it is said of these weights alone",
            },
            FindingSide.Above(0, tests),
            FindingSide.Below(FindingDraft.Resolution, tests));
    }

    // What entered of one choice of trainings. A choice between trainings of which a cell has others leaves that cell out.
    private FindingContrast Of(HashSet<string> models)
    {
        var contrast = new FindingContrast();
        foreach ((string smaller, FindingCurve larger, double sparsity, double[] first, double[] second) in _added)
        {
            if (models.Contains(smaller) && models.Contains(larger.Model))
            {
                contrast.Add(larger, sparsity, first, second, range);
            }
        }

        return contrast;
    }

    private static IEnumerable<HashSet<string>> Choices(string[][] sizes)
    {
        IEnumerable<string[]> choices = [[]];
        foreach (string[] trainings in sizes)
        {
            choices = choices.SelectMany(_ => trainings, (choice, model) => (string[])[.. choice, model]);
        }

        return choices.Select(c => c.ToHashSet());
    }
}
