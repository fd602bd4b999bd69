using SparseFrontier.Analysis;
using SparseFrontier.Attention;

namespace SparseFrontier.Experiments.Findings;

/// <summary>
/// The rows that findings may use, as curves: of one series, not half forced (controls aside, which choose nothing or are forced by nature), beside dense attention that is clearly
/// above chance. What is left out is counted.
/// </summary>
internal sealed class FindingData
{
    /// <summary>The largest part of what is kept that may be forced.</summary>
    private const double LargestForcedShare = 0.5;

    private readonly PairedScores _scores = new();
    private readonly Dictionary<(string Model, FindingCell Cell), FindingLevel> _dense = [];
    private readonly Dictionary<(string Model, FindingCell Cell, string Method, bool IsPrefill, string Variant), FindingCurve> _curves = [];
    private readonly Dictionary<string, double?> _sizes;
    private readonly List<SparseAttentionResult> _forced = [];
    private readonly List<SparseAttentionResult> _blind = [];

    /// <summary>Reads rows and their samples.</summary>
    /// <param name="rows">Rows; those that are not complete, fell back to dense attention, or have no samples here are left out.</param>
    /// <param name="scaled">Whether the scaled series is meant.</param>
    /// <param name="explain">Told what cannot be read.</param>
    public FindingData(IEnumerable<SparseAttentionResult> rows, bool scaled, Action<string> explain)
    {
        SparseAttentionResult[] usable = [.. rows.Where(r => Pareto.Includes(r) && r.Score is not null && PairedScores.AreHere(r))];
        foreach (SparseAttentionResult row in usable.Where(ToleranceSeriesBuilder.IsDense).OrderByDescending(r => r.SampleCount))
        {
            if (Read(row, null, explain) is { } level)
            {
                (string, FindingCell) key = (row.Model, CellOf(row, _scores.Of(row)));
                if (_scores.FloorPValue([row], ChanceFloor.Of(row.Task) + ChanceFloor.Clear) >= 0.05)
                {
                    _blind.Add(row);
                }
                else
                {
                    _dense.TryAdd(key, level);
                }
            }
        }

        var sizes = new ModelSizes();
        _sizes = _dense.GroupBy(d => d.Key.Model).ToDictionary(g => g.Key, g => sizes.Of(g.First().Value.Row));
        Models = [.. _sizes.OrderBy(s => s.Value ?? 0).ThenBy(s => s.Key, StringComparer.Ordinal).Select(s => s.Key)];
        foreach (var series in usable.Where(r => IsOfOnePhase(r) && IsIn(r, scaled)).GroupBy(r => (r.Model, MethodRegistry.IsDense(r.Method), Method: MethodNames.Of(r), r.Task, r.SequenceLength, r.Seed, Key: Protocol.Key(r), Variant: Variant(r))))
        {
            AddCurve([.. series], series.Key.Method, !series.Key.Item2, series.Key.Variant, explain);
        }
    }

    /// <summary>Models with a dense run that is clearly above chance, by rising size.</summary>
    public IReadOnlyList<string> Models { get; }

    /// <summary>Parameters of one of <see cref="Models"/>; null where they are not known here.</summary>
    public double? SizeOf(string model) => _sizes[model];

    /// <summary>Whether a model has fewer parameters than another; not where those of one are not known here.</summary>
    public bool IsSmaller(string model, string other) => SizeOf(model) < SizeOf(other);

    /// <summary>Models by rising size, those of one size together: several trainings of one architecture have equally many parameters. Models whose sizes are not known stay apart.</summary>
    public string[][] BySize(IEnumerable<string> models)
    {
        HashSet<string> asked = [.. models];
        return [.. Models.Select((m, order) => (Model: m, Size: SizeOf(m) ?? -1.0 - order)).Where(m => asked.Contains(m.Model)).GroupBy(m => m.Size, m => m.Model).Select(g => g.ToArray())];
    }

    /// <summary>Cells with such a run, and their models.</summary>
    public IEnumerable<(string Model, FindingCell Cell)> Cells => _dense.Keys;

    /// <summary>All curves.</summary>
    public IEnumerable<FindingCurve> Curves => _curves.Values;

    /// <summary>Runs left out because more of what they keep is forced than chosen.</summary>
    public IReadOnlyList<SparseAttentionResult> Forced => _forced;

    /// <summary>Dense runs that are not clearly above chance.</summary>
    public IReadOnlyList<SparseAttentionResult> Blind => _blind;

    /// <summary>The dense run of a model in a cell.</summary>
    public FindingLevel? Dense(string model, FindingCell cell) => _dense.GetValueOrDefault((model, cell));

    /// <summary>A curve, or null where there is none.</summary>
    public FindingCurve? Curve(string model, FindingCell cell, string method, bool isPrefill, string variant = "") => _curves.GetValueOrDefault((model, cell, method, isPrefill, variant));

    /// <summary>Whether more of what a complete run of one phase keeps is forced than chosen, or how much is not known. Controls choose nothing that a forced set could hide.</summary>
    public static bool IsForced(SparseAttentionResult row) =>
        Pareto.Includes(row) && IsOfOnePhase(row) && !FindingCurve.IsControlMethod(MethodNames.Of(row), !MethodRegistry.IsDense(row.Method))
        && (MethodRegistry.IsDense(row.Method) ? DecodeForcedShare(row) : row.ForcedShare) is not <= LargestForcedShare;

    // Of the prompt's tokens. An eviction keeps all that is generated, which DecodeForcedShare counts as forced: by it, runs that fail and never end their answer would be left out for failing.
    private static double? DecodeForcedShare(SparseAttentionResult row) =>
        row is { PromptTokens: { } length, CacheSparsity: { } sparsity } && MethodLookup.Decode(row.DecodeMethod) is EvictionMethod eviction ? eviction.ForcedShare(row.DecodeParameters, length, sparsity) ?? row.DecodeForcedShare : row.DecodeForcedShare;

    private static bool IsOfOnePhase(SparseAttentionResult row) => MethodRegistry.IsDense(row.Method) != MethodRegistry.IsDense(row.DecodeMethod);

    // Where a method has nothing to scale, and at the length at which they meet, both series are one.
    private static bool IsIn(SparseAttentionResult row, bool scaled) => FindingsGrid.SeriesOf(row) switch
    {
        FindingSeries.Absolute => !scaled || row.SequenceLength >= FindingsGrid.ReferenceLength || !FindingsGrid.IsScalable(row),
        FindingSeries.Scaled => scaled,
        _ => Variant(row).Length > 0,
    };

    private static string Variant(SparseAttentionResult row) => FindingsGrid.SeriesOf(row) == FindingSeries.Other ? FindingsGrid.VariantOf(row) : "";

    private void AddCurve(SparseAttentionResult[] rows, string method, bool isPrefill, string variant, Action<string> explain)
    {
        var levels = new List<FindingLevel>();
        (string Model, FindingCell Cell)? place = null;
        foreach (SparseAttentionResult row in rows.OrderByDescending(r => r.SampleCount))
        {
            if (IsForced(row))
            {
                _forced.Add(row);
                continue;
            }

            // The dense run of the same questions; its cell holds the first gold.
            KeyValuePair<(string Model, FindingCell Cell), FindingLevel> dense = _dense.FirstOrDefault(d =>
                d.Key.Model == row.Model && d.Key.Cell.Task == row.Task && d.Key.Cell.Length == row.SequenceLength && d.Key.Cell.Seed == row.Seed && d.Key.Cell.Protocol == Protocol.Key(row));
            if (dense.Value is null || Read(row, dense.Value.Row, explain) is not { Sparsity: > 0 } level)
            {
                continue;
            }

            place = dense.Key;
            if (!levels.Any(l => Math.Abs(l.Sparsity - level.Sparsity) < 1e-6))
            {
                levels.Add(level);
            }
        }

        if (place is { } key)
        {
            _curves[(key.Model, key.Cell, method, isPrefill, variant)] = new FindingCurve(key.Model, key.Cell, method, isPrefill, variant, _dense[key], [.. levels.OrderBy(l => l.Sparsity)]);
        }
    }

    /// <summary>A row's scores by index, those that answer another question than the dense run's left out.</summary>
    private FindingLevel? Read(SparseAttentionResult row, SparseAttentionResult? dense, Action<string> explain)
    {
        try
        {
            IReadOnlyList<SampleResult> samples = _scores.Of(row);
            Dictionary<int, string>? golds = dense is null ? null : Golds(_scores.Of(dense));
            double[] scores = new double[samples.Count == 0 ? 0 : samples.Max(s => s.Index) + 1];
            Array.Fill(scores, double.NaN);
            foreach (SampleResult sample in samples.Where(s => golds is null || (golds.TryGetValue(s.Index, out string? gold) && gold == ResultSummaryFile.GoldOf(s, samples))))
            {
                scores[sample.Index] = sample.Score ?? double.NaN;
            }

            double? sparsity = dense is null ? 0 : ClaimSide.MeasuredSparsityOf(row);
            return sparsity is { } measured && scores.Any(s => !double.IsNaN(s)) ? new FindingLevel(measured, scores, row) : null;
        }
        catch (SparseFrontierException e) when (PairedScores.IsOfData(e))
        {
            explain($"{e.Message} It is left out.");
            return null;
        }
    }

    private static FindingCell CellOf(SparseAttentionResult row, IReadOnlyList<SampleResult> samples) => new(
        row.Task, row.SequenceLength, row.Seed, Protocol.Key(row), row.CompressBefore.Equals("Question", StringComparison.OrdinalIgnoreCase), Protocol.Questions(row) + '\u001f' + (samples.MinBy(s => s.Index) is { } first ? ResultSummaryFile.GoldOf(first, samples) : ""));

    // As files keep them, so that rows of a file and of a folder are of the same questions.
    private static Dictionary<int, string> Golds(IReadOnlyList<SampleResult> samples) => samples.ToDictionary(s => s.Index, s => ResultSummaryFile.GoldOf(s, samples));
}
