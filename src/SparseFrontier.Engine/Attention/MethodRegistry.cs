namespace SparseFrontier.Attention;

/// <summary>All methods by name. A new method is one file and one line here. Names are unique within a phase.</summary>
public static class MethodRegistry
{
    /// <summary>Prefill methods, controls last.</summary>
    public static IReadOnlyList<PrefillMethod> PrefillMethods { get; } =
    [
        new DensePrefill(),
        new VerticalSlash(),
        new BlockSparse(),
        new FlexPrefill(),
        new WindowSinkPrefill(),
        new RandomPrefill(),
        new OracleTopKPrefill(),
    ];

    /// <summary>Decode methods, controls last.</summary>
    public static IReadOnlyList<DecodeMethod> DecodeMethods { get; } =
    [
        new DenseDecode(),
        new SnapKV(),
        new AdaSnapKV(),
        new Quest(),
        new WindowSinkDecode(),
        new RandomDecode(),
        new OracleTopKDecode(),
    ];

    /// <summary>The methods of both phases.</summary>
    public static IEnumerable<AttentionMethod> All => [.. PrefillMethods, .. DecodeMethods];

    /// <summary>The prefill method of a name, in any case.</summary>
    /// <exception cref="SparseFrontierException">MethodNotFound; the message names the nearest.</exception>
    public static PrefillMethod FindPrefill(string name) => (PrefillMethod)Find(name, AttentionPhase.Prefill);

    /// <summary>The decode method of a name, in any case.</summary>
    /// <exception cref="SparseFrontierException">MethodNotFound; the message names the nearest.</exception>
    public static DecodeMethod FindDecode(string name) => (DecodeMethod)Find(name, AttentionPhase.Decode);

    /// <summary>The method of a name, in any case, and phase.</summary>
    /// <exception cref="SparseFrontierException">MethodNotFound; the message names the nearest.</exception>
    public static AttentionMethod Find(string name, AttentionPhase phase)
    {
        ArgumentNullException.ThrowIfNull(name);
        return All.FirstOrDefault(m => m.Phase == phase && m.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
            ?? throw NotFound(name, phase);
    }

    /// <summary>The methods whose names match a pattern with <c>*</c> and <c>?</c>.</summary>
    /// <param name="pattern">Pattern or name.</param>
    /// <param name="includeControls">Whether a pattern also matches controls; a name without wildcards always does.</param>
    public static IReadOnlyList<AttentionMethod> Match(string pattern, bool includeControls = false) =>
        [.. All.Where(m => NameMatcher.Matches(m.Name, pattern) && (!m.IsControl || includeControls || !NameMatcher.IsPattern(pattern)))];

    private static SparseFrontierException NotFound(string name, AttentionPhase phase)
    {
        string kind = phase == AttentionPhase.Prefill ? "prefill" : "decode";
        string[] names = [.. All.Where(m => m.Phase == phase).Select(m => m.Name)];
        bool other = All.Any(m => m.Phase != phase && m.Name.Equals(name, StringComparison.OrdinalIgnoreCase));
        string hint = other
            ? $"It is a {(phase == AttentionPhase.Prefill ? "decode" : "prefill")} method. Known: {string.Join(", ", names)}."
            : NameMatcher.Suggestion(name, names);
        return new SparseFrontierException(ErrorIds.MethodNotFound, $"There is no {kind} method '{name}'. {hint}", name);
    }
}
