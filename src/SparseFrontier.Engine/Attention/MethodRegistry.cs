namespace SparseFrontier.Attention;

/// <summary>
/// All methods by name. A new method is one file and one line here. Names are unique within a phase. Users' own methods are registered at run
/// time, for the process.
/// </summary>
public static class MethodRegistry
{
    private static readonly Lock s_registering = new();
    private static AttentionMethod[] s_user = [];

    private static readonly PrefillMethod[] s_prefillMethods =
    [
        new DensePrefill(),
        new VerticalSlash(),
        new BlockSparse(),
        new FlexPrefill(),
        new WindowSinkPrefill(),
        new RandomPrefill(),
        new RandomVerticalSlash(),
        new OracleTopKPrefill(),
    ];

    private static readonly DecodeMethod[] s_decodeMethods =
    [
        new DenseDecode(),
        new SnapKV(),
        new AdaSnapKV(),
        new Quest(),
        new WindowSinkDecode(),
        new RandomDecode(),
        new RandomAdaSnapKV(),
        new OracleTopKDecode(),
        new WindowSinkPages(),
        new RandomPages(),
        new OraclePages(),
    ];

    /// <summary>Prefill methods: this project's, controls last, then users' own.</summary>
    public static IReadOnlyList<PrefillMethod> PrefillMethods => [.. s_prefillMethods, .. s_user.OfType<PrefillMethod>()];

    /// <summary>Decode methods: this project's, controls last, then users' own.</summary>
    public static IReadOnlyList<DecodeMethod> DecodeMethods => [.. s_decodeMethods, .. s_user.OfType<DecodeMethod>()];

    /// <summary>The methods of both phases.</summary>
    public static IEnumerable<AttentionMethod> All => [.. PrefillMethods, .. DecodeMethods];

    /// <summary>Whether a row's method is dense attention; a row without a method is.</summary>
    public static bool IsDense(string method)
    {
        ArgumentNullException.ThrowIfNull(method);
        return method.Length == 0 || method.Equals("Dense", StringComparison.OrdinalIgnoreCase);
    }

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

    /// <summary>Adds a user's own method; one of the same name that a user registered before is replaced.</summary>
    /// <exception cref="SparseFrontierException">NameTaken: a method of this project has the name.</exception>
    internal static void Register(AttentionMethod method)
    {
        if (s_prefillMethods.Concat<AttentionMethod>(s_decodeMethods).Any(m => m.Name.Equals(method.Name, StringComparison.OrdinalIgnoreCase)))
        {
            throw new SparseFrontierException(ErrorIds.NameTaken, $"'{method.Name}' is a method of this project. Give yours another name.", method.Name);
        }

        Remove(method.Name);
        lock (s_registering)
        {
            s_user = [.. s_user, method];
        }
    }

    /// <summary>Takes a user's own method away.</summary>
    internal static void Remove(string name)
    {
        lock (s_registering)
        {
            s_user = [.. s_user.Where(m => !m.Name.Equals(name, StringComparison.OrdinalIgnoreCase))];
        }
    }

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
