using SparseFrontier.Analysis;
using SparseFrontier.Experiments.Findings;

namespace SparseFrontier.Experiments.Operations;

/// <summary>Emits a <see cref="SparsityFinding"/> for each claim of the paper: what rows say of it, and why.</summary>
public sealed class GetFindingOperation
{
    /// <summary>Names of the series.</summary>
    public static IReadOnlyList<string> SeriesNames { get; } = [nameof(FindingSeries.Scaled), nameof(FindingSeries.Absolute)];

    /// <summary>Names of the claims and what they say: of a row that can show none, each is emitted as not testable.</summary>
    public static IEnumerable<(string Name, string Claim)> Claims =>
        Find([new SparseAttentionResult { Method = "Dense", DecodeMethod = "Dense", Task = "Niah", Model = "-" }], scaled: true, _ => { }, CancellationToken.None).DistinctBy(f => f.Name).Select(f => (f.Name, f.Claim));

    /// <summary>Rows, dense ones and controls among them; their samples must be here.</summary>
    public required IReadOnlyList<SparseAttentionResult> Results { get; init; }

    /// <summary>"Scaled": windows, forced sets, floors and tiles in proportion to the length; "Absolute": the paper's values.</summary>
    public string Series { get; init; } = nameof(FindingSeries.Scaled);

    /// <summary>Names of claims; wildcards match. Empty: all. Levels are controlled over all claims, whichever are shown.</summary>
    public IReadOnlyList<string> Name { get; init; } = [];

    /// <summary>Emits the findings.</summary>
    /// <exception cref="SparseFrontierException">ParameterInvalid: no such series or claim. DataInsufficient: no rows.</exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(sink);
        bool scaled = Series.Equals(nameof(FindingSeries.Scaled), StringComparison.OrdinalIgnoreCase);
        if (!scaled && !Series.Equals(nameof(FindingSeries.Absolute), StringComparison.OrdinalIgnoreCase))
        {
            throw new SparseFrontierException(ErrorIds.ParameterInvalid, $"There is no series '{Series}'. {NameMatcher.Suggestion(Series, [.. SeriesNames])}", Series);
        }

        if (Results.Count == 0)
        {
            throw new SparseFrontierException(ErrorIds.DataInsufficient, "There are no rows. Run the preset Findings or FindingsSmall, and read its folder.", null);
        }

        if (RowSparsity.Warning(Results) is { } nominal)
        {
            sink.Warning(nominal);
        }

        SparsityFinding[] findings = Find(Results, scaled, sink.Warning, cancellationToken);
        foreach (string name in Name.Where(n => !NameMatcher.IsPattern(n) && !findings.Any(f => NameMatcher.Matches(f.Name, n))))
        {
            throw new SparseFrontierException(ErrorIds.ParameterInvalid, $"There is no claim '{name}'. {NameMatcher.Suggestion(name, [.. findings.Select(f => f.Name).Distinct()])}", name);
        }

        foreach (SparsityFinding finding in findings.Where(f => Name.Count == 0 || Name.Any(n => NameMatcher.Matches(f.Name, n))))
        {
            sink.Object(finding);
        }
    }

    private static SparsityFinding[] Find(IReadOnlyList<SparseAttentionResult> results, bool scaled, Action<string> warning, CancellationToken cancellationToken)
    {
        // Claims about sizes are of every training of a size. All others are of its first: the same figures whether a size was trained again or not, and no size counts several times.
        var models = results.Select(r => r.Model).ToHashSet(StringComparer.OrdinalIgnoreCase);
        SparseAttentionResult[] first = [.. results.Where(r => !(FindingsGrid.IsOtherTraining(r.Model) && models.Contains(FindingsGrid.EmbeddedOf(r.Model)!)))];
        string series = SeriesNames[scaled ? 0 : 1];
        var sizes = new FindingClaims(new FindingData(results, scaled, warning), series);
        cancellationToken.ThrowIfCancellationRequested();
        FindingClaims claims = first.Length == results.Count ? sizes : new FindingClaims(new FindingData(first, scaled, _ => { }), series);
        cancellationToken.ThrowIfCancellationRequested();
        FindingDraft[] drafts = [.. CostFindings.Of(claims, sizes), .. MethodFindings.Of(claims), .. LengthFindings.Of(claims, sizes), .. ToleranceFindings.Of(claims)];
        cancellationToken.ThrowIfCancellationRequested();
        return [.. FindingDraft.Label(drafts)];
    }
}
