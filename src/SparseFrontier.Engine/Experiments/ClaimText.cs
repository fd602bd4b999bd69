using System.Globalization;
using System.Text.RegularExpressions;
using SparseFrontier.Analysis;
using SparseFrontier.Attention;

namespace SparseFrontier.Experiments;

/// <summary>One side of a claim: a method of one phase or a pair, and its sparsity where that is named.</summary>
/// <param name="Prefill">Prefill method; "Dense" where the side names a decode method alone.</param>
/// <param name="Decode">Decode method.</param>
/// <param name="Sparsity">The measured sparsity that is meant.</param>
internal sealed record ClaimSide(string Prefill, string Decode, double? Sparsity)
{
    /// <summary>Its methods, "Quest" or "VerticalSlash + Quest".</summary>
    public string Methods => MethodNames.Of(Prefill, Decode);

    public bool IsDense => MethodRegistry.IsDense(Prefill) && MethodRegistry.IsDense(Decode);

    /// <summary>Whether a row is of this side's methods and measured sparsity.</summary>
    public bool Includes(SparseAttentionResult row) => IsOfMethods(row) && (Sparsity is not { } named || (MeasuredSparsityOf(row) is { } has && Near(has, named)));

    /// <summary>Whether a row was asked for the sparsity that this side names, and has another one.</summary>
    public bool Misses(SparseAttentionResult row) =>
        IsOfMethods(row) && Sparsity is { } named && SparsityOf(row) is { } asked && Math.Abs(asked - named) < 0.005 && MeasuredSparsityOf(row) is { } has && !Near(has, named);

    /// <summary>Whether two sparsities count as the same: as near as a run's measured sparsity is to be to the one asked for.</summary>
    public static bool Near(double first, double second) => Math.Abs(first - second) <= AttentionMethod.SparsityTolerance + 1e-9;

    /// <summary>The measured sparsity of what <see cref="SparsityOf"/> speaks of: of the prefill, or of the prompt's cache as a budget is solved for it; null for dense.</summary>
    public static double? MeasuredSparsityOf(SparseAttentionResult row) =>
        !MethodRegistry.IsDense(row.Method) ? RowSparsity.Prefill(row)
        : !MethodRegistry.IsDense(row.DecodeMethod) ? row.CacheSparsity ?? RowSparsity.Decode(row)
        : null;

    /// <summary>The sparsity asked of a row in its sparse phase, the prefill's where both are; the measured one where a budget was given; null for dense.</summary>
    public static double? SparsityOf(SparseAttentionResult row) =>
        !MethodRegistry.IsDense(row.Method) ? row.RequestedSparsity ?? Rounded(RowSparsity.Prefill(row))
        : !MethodRegistry.IsDense(row.DecodeMethod) ? row.RequestedDecodeSparsity ?? Rounded(RowSparsity.Decode(row))
        : null;

    private static double? Rounded(double? value) => value is { } v ? Math.Round(v, 2) : null;

    /// <summary>Whether a row is of this side's methods, at any sparsity.</summary>
    public bool IsOfMethods(SparseAttentionResult row) => Same(row.Method, Prefill) && Same(row.DecodeMethod, Decode);

    private static bool Same(string first, string second) =>
        (MethodRegistry.IsDense(first) && MethodRegistry.IsDense(second)) || first.Equals(second, StringComparison.OrdinalIgnoreCase);
}

/// <summary>Reads a claim: "Quest over SnapKV", "Quest at 0.9 not below Dense", "VerticalSlash+Quest at 0.5 over Quest at 0.5".</summary>
/// <param name="First">The method that the claim is for.</param>
/// <param name="Second">The method that it is compared with.</param>
/// <param name="NotBelow">Whether the claim is that the first loses less than the margin; otherwise that it gains more.</param>
internal sealed partial record ClaimText(ClaimSide First, ClaimSide Second, bool NotBelow)
{
    /// <summary>Reads the text. Names that the rows have count besides the registered ones.</summary>
    /// <exception cref="SparseFrontierException">ParameterInvalid, MethodNotFound, SparsityOutOfRange.</exception>
    public static ClaimText Parse(string text, IReadOnlyList<SparseAttentionResult> rows)
    {
        Match match = Read(text);
        return new ClaimText(Side(match.Groups[1].Value, match.Groups[2].Value, rows), Side(match.Groups[4].Value, match.Groups[5].Value, rows), match.Groups[3].Value.StartsWith("not", StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>Refuses a text that is no claim, whatever its names stand for.</summary>
    /// <exception cref="SparseFrontierException">ParameterInvalid.</exception>
    public static Match Read(string text) => Form().Match(text) is { Success: true } match
        ? match
        : throw new SparseFrontierException(
            ErrorIds.ParameterInvalid,
            $"'{text}' is not of the form of a claim: METHOD [at SPARSITY] over METHOD [at SPARSITY], or METHOD not below METHOD. It is one text, in quotes: 'Quest over SnapKV' or 'Quest at 0.9 not below Dense'.",
            text);

    private static ClaimSide Side(string methods, string sparsity, IReadOnlyList<SparseAttentionResult> rows)
    {
        double? asked = sparsity.Length == 0 ? null : double.Parse(sparsity, CultureInfo.InvariantCulture);
        if (asked is not (null or (>= 0 and < 1)))
        {
            throw new SparseFrontierException(ErrorIds.SparsityOutOfRange, $"A sparsity of {sparsity} is not from 0 to below 1.", asked);
        }

        string[] prefill = [.. MethodRegistry.PrefillMethods.Select(m => m.Name).Concat(rows.Select(r => r.Method)).Where(n => n.Length > 0).Distinct(StringComparer.OrdinalIgnoreCase)];
        string[] decode = [.. MethodRegistry.DecodeMethods.Select(m => m.Name).Concat(rows.Select(r => r.DecodeMethod)).Where(n => n.Length > 0).Distinct(StringComparer.OrdinalIgnoreCase)];
        string[] parts = methods.Split('+', StringSplitOptions.TrimEntries);
        if (parts.Length == 2)
        {
            return new ClaimSide(Find(parts[0], prefill), Find(parts[1], decode), asked);
        }

        // WindowSink, Random and OracleTopK have the same name in both phases: the rows say which is meant.
        string name = Find(parts[0], [.. prefill, .. decode]);
        bool inPrefill = prefill.Contains(name, StringComparer.OrdinalIgnoreCase);
        bool inDecode = decode.Contains(name, StringComparer.OrdinalIgnoreCase);
        if (inPrefill && inDecode && !MethodRegistry.IsDense(name))
        {
            inPrefill = rows.Any(r => r.Method.Equals(name, StringComparison.OrdinalIgnoreCase));
        }

        return inPrefill ? new ClaimSide(name, "Dense", asked) : new ClaimSide("Dense", name, asked);
    }

    private static string Find(string name, string[] known) =>
        known.FirstOrDefault(k => k.Equals(name, StringComparison.OrdinalIgnoreCase))
        ?? throw new SparseFrontierException(ErrorIds.MethodNotFound, $"There is no method '{name}'. {NameMatcher.Suggestion(name, [.. known.Distinct()])}", name);

    [GeneratedRegex(@"^\s*([\w.-]+(?:\s*\+\s*[\w.-]+)?)(?:\s+at\s+(\d*\.?\d+))?\s+(over|not\s+below)\s+([\w.-]+(?:\s*\+\s*[\w.-]+)?)(?:\s+at\s+(\d*\.?\d+))?\s*$", RegexOptions.IgnoreCase)]
    private static partial Regex Form();
}
