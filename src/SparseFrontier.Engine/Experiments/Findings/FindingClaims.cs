namespace SparseFrontier.Experiments.Findings;

/// <summary>What the claims are made of: comparisons of curves, and drafts of findings from them.</summary>
/// <param name="data">The curves.</param>
/// <param name="series">Name of the series.</param>
internal sealed class FindingClaims(FindingData data, string series)
{
    /// <summary>Below this nothing is compared: there every method has what it needs, and nothing is learned.</summary>
    public const double LeastSparsity = 0.5;

    /// <summary>The curves.</summary>
    public FindingData Data => data;

    /// <summary>The paper's levels at which two curves are compared: those that one of them was measured at and both reach.</summary>
    public static IEnumerable<double> Levels(FindingCurve first, FindingCurve second, double least = LeastSparsity) =>
        FindingsGrid.Sparsities.Where(s => s >= least && (first.Measures(s) || second.Measures(s)) && first.At(s) is not null && second.At(s) is not null);

    /// <summary>The first method less the second, in every cell that has both, at equal sparsity.</summary>
    /// <param name="first">Method; its gains over controls are asked for.</param>
    /// <param name="second">Method.</param>
    /// <param name="isPrefill">Whether prefill methods are meant.</param>
    /// <param name="cells">Cells that are meant.</param>
    /// <param name="variant">Parameters of the second that an ablation changed.</param>
    public FindingContrast Compare(string first, string second, bool isPrefill, Func<FindingCell, bool> cells, string variant = "")
    {
        var contrast = new FindingContrast();
        foreach ((string model, FindingCell cell) in data.Cells.Where(c => cells(c.Cell)))
        {
            if (data.Curve(model, cell, first, isPrefill) is not { } a || data.Curve(model, cell, second, isPrefill, variant) is not { } b)
            {
                continue;
            }

            foreach (double sparsity in Levels(a, b))
            {
                contrast.Add(a, sparsity, a.At(sparsity)!, b.At(sparsity)!);
            }
        }

        return contrast;
    }

    /// <summary>A claim that one thing scores more than another: shown above 0; refuted where a difference of <see cref="FindingDraft.Resolution"/> is excluded.</summary>
    public FindingDraft Over(string name, string claim, string source, string measure, FindingContrast contrast, params string[] methods)
    {
        if (contrast.IsEmpty)
        {
            return Absent(name, claim, source, measure, methods);
        }

        FindingTest test = contrast.Test();
        return new FindingDraft(
            Describe(name, claim, source, measure, contrast, test), FindingSide.Above(0, test), FindingSide.Below(FindingDraft.Resolution, test));
    }

    /// <summary>A claim that one thing does not score more than another: shown where a gain of <see cref="FindingDraft.Resolution"/> is excluded; refuted above 0.</summary>
    public FindingDraft NotOver(string name, string claim, string source, string measure, FindingContrast contrast, params string[] methods)
    {
        if (contrast.IsEmpty)
        {
            return Absent(name, claim, source, measure, methods);
        }

        FindingTest test = contrast.Test();
        return new FindingDraft(
            Describe(name, claim, source, measure, contrast, test), FindingSide.Below(FindingDraft.Resolution, test), FindingSide.Above(0, test));
    }

    /// <summary>A claim without a cell that could show it, and why there is none.</summary>
    /// <param name="name">Name.</param>
    /// <param name="claim">Claim.</param>
    /// <param name="source">Where the paper makes it.</param>
    /// <param name="measure">What would be estimated.</param>
    /// <param name="methods">Methods whose forced runs may be the reason; empty: there is another.</param>
    /// <param name="why">The reason; null: the methods cannot be compared.</param>
    public FindingDraft Absent(string name, string claim, string source, string measure, IReadOnlyList<string> methods, string? why = null)
    {
        int forced = data.Forced.Count(r => methods.Contains(MethodNames.Of(r)));
        var parts = new List<string> { why ?? (methods.Count == 0 ? "no two runs to compare" : $"no cell in which {string.Join(" and ", methods)} can be compared") };
        if (forced > 0)
        {
            parts.Add(FormattableString.Invariant($"{Counted.Of(forced, "run keeps", "runs keep")} more that is forced than chosen"));
        }

        if (data.Blind.Count > 0 && methods.Count > 0)
        {
            parts.Add(FormattableString.Invariant($"{Counted.Of(data.Blind.Count, "dense run is", "dense runs are")} not clearly above chance"));
        }

        return new FindingDraft(
            new SparsityFinding { Name = name, Claim = claim, Source = source, Measure = measure, Series = series, ForcedCount = forced, BlindCount = data.Blind.Count, Message = string.Join("; ", parts) }, (double?)null, null);
    }

    /// <summary>What a finding says of the cells that it rests on.</summary>
    public SparsityFinding Describe(string name, string claim, string source, string measure, FindingContrast contrast, FindingTest test)
    {
        FindingTest? random = Gain(contrast, "Random");
        FindingTest? window = Gain(contrast, "WindowSink");
        FindingTest? oracle = Gain(contrast, "OracleTopK");
        HashSet<string> methods = [.. contrast.Subjects.Select(s => s.Curve.Method)];
        return Plain(name, claim, source, measure, contrast.Cells, contrast.Describe()) with
        {
            Estimate = test.Difference,
            Low = test.Low,
            High = test.High,
            SampleCount = test.SampleCount,
            ForcedCount = data.Forced.Count(r => methods.Contains(MethodNames.Of(r))),
            GainOverRandom = random?.Difference,
            GainOverRandomLow = random?.Low,
            GainOverRandomHigh = random?.High,
            GainOverWindowSink = window?.Difference,
            GainOverWindowSinkLow = window?.Low,
            GainOverWindowSinkHigh = window?.High,
            GapToOracle = -oracle?.Difference,
            GapToOracleLow = -oracle?.High,
            GapToOracleHigh = -oracle?.Low,
        };
    }

    /// <summary>A finding without figures.</summary>
    public SparsityFinding Plain(string name, string claim, string source, string measure, IReadOnlyCollection<(string Model, FindingCell Cell)> cells, string described) => new()
    {
        Name = name,
        Claim = claim,
        Source = source,
        Measure = measure,
        Series = series,
        CellCount = cells.Select(c => (c.Model, c.Cell.Task, c.Cell.Length)).Distinct().Count(),
        Cells = described,
        BlindCount = data.Blind.Count,
        IsExtrapolated = cells.Any(c => data.Dense(c.Model, c.Cell) is { } dense
            && (dense.Row.YarnFactor is not null || (FindingsGrid.IsEmbedded(c.Model) && c.Cell.Length > FindingsGrid.TrainedLength))),
    };

    // The claim's methods less a control of their phase, in the same cells at the same sparsities.
    private FindingTest? Gain(FindingContrast contrast, string control)
    {
        var gain = new FindingContrast();
        foreach ((FindingCurve curve, double sparsity) in contrast.Subjects)
        {
            if (sparsity > 0 && data.Curve(curve.Model, curve.Cell, control, curve.IsPrefill)?.At(sparsity) is { } scores)
            {
                gain.Add(curve, sparsity, curve.At(sparsity)!, scores);
            }
        }

        return gain.IsEmpty ? null : gain.Test();
    }
}
