namespace SparseFrontier.Attention;

/// <summary>All methods by name. A new method is one file and one line here. Names are unique within a phase.</summary>
public static class MethodRegistry
{
    /// <summary>Prefill methods, controls last.</summary>
    public static IReadOnlyList<PrefillMethod> PrefillMethods { get; } = [new DensePrefill()];

    /// <summary>Decode methods, controls last.</summary>
    public static IReadOnlyList<DecodeMethod> DecodeMethods { get; } = [new DenseDecode()];
}
