namespace SparseFrontier.Attention;

/// <summary>All methods by name. A new method is one file and one line here.</summary>
public static class MethodRegistry
{
    /// <summary>Prefill methods.</summary>
    public static IReadOnlyList<PrefillMethod> PrefillMethods { get; } = [];

    /// <summary>Decode methods.</summary>
    public static IReadOnlyList<DecodeMethod> DecodeMethods { get; } = [];
}
