using static System.FormattableString;

namespace SparseFrontier.Experiments.Findings;

/// <summary>
/// Two sizes of models beside each other. What holds of a size holds of each of its trainings: of several, every two are compared, and the pair that shows least decides.
/// </summary>
/// <param name="data">The curves, which know the sizes.</param>
/// <param name="scale">The largest difference that is possible.</param>
internal sealed class SizeContrast(FindingData data, double scale = 1)
{
    private readonly FindingContrast _all = new(scale);
    private readonly SortedDictionary<(int Smaller, int Larger), FindingContrast> _pairs = [];

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
        // Which of the trainings of its size a model is: which sizes there are differs from task to task.
        (int, int) key = (data.TrainingOf(smaller), data.TrainingOf(larger.Model));
        FindingContrast pair = _pairs.TryGetValue(key, out FindingContrast? known) ? known : _pairs[key] = new FindingContrast(scale);
        pair.Add(larger, sparsity, first, second);
        _all.Add(larger, sparsity, first, second);
    }

    /// <summary>A claim that the first scores more than the second, as <see cref="FindingClaims.Over"/>, over how many trainings it stands, and between which differences.</summary>
    public FindingDraft Over(FindingClaims claims, string name, string claim, string source, string measure)
    {
        FindingDraft draft = claims.Over(name, claim, source, measure, _all);
        var pairs = _pairs.Where(p => !p.Value.IsEmpty).Select(p => (p.Key, Test: p.Value.Test())).ToArray();
        FindingTest[] tests = [.. pairs.Select(p => p.Test)];
        double decisive = draft.Finding.Estimate > 0 ? 0 : FindingDraft.Resolution;
        return draft with
        {
            Finding = draft.Finding with
            {
                Message = pairs.Length > 1
                    ? Invariant($"{Trainings(pairs.Select(p => p.Key.Smaller))} of a smaller size and {Trainings(pairs.Select(p => p.Key.Larger))} of a larger, every two compared: {tests.Min(t => t.Difference):+0.000;-0.000;0.000} to {tests.Max(t => t.Difference):+0.000;-0.000;0.000}")
                    : "one training a size, so that it is said of these weights alone",
            },
            Agrees = tests.Max(t => t.PValueAbove(0)),
            Disagrees = tests.Max(t => t.PValueBelow(FindingDraft.Resolution)),
            Needed = level => tests.Select(t => t.Difference > decisive == draft.Finding.Estimate > decisive ? t.SamplesNeeded(decisive, level) : null).Aggregate((a, b) => a > b ? a : a < b ? b : a == b ? a : null),
        };
    }

    private static string Trainings(IEnumerable<int> which) => which.Distinct().Count() is > 1 and var n ? Invariant($"{n} trainings") : "one training";
}
