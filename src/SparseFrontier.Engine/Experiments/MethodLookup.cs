using SparseFrontier.Attention;

namespace SparseFrontier.Experiments;

/// <summary>Finds methods by name.</summary>
internal static class MethodLookup
{
    public static PrefillMethod? Prefill(string name) =>
        MethodRegistry.PrefillMethods.FirstOrDefault(m => m.Name.Equals(name, StringComparison.OrdinalIgnoreCase));

    public static DecodeMethod? Decode(string name) =>
        MethodRegistry.DecodeMethods.FirstOrDefault(m => m.Name.Equals(name, StringComparison.OrdinalIgnoreCase));

    /// <summary>The error for a name that no method has.</summary>
    public static SparseFrontierException NotFound(string name, IEnumerable<AttentionMethod> methods) => new(
        ErrorIds.MethodNotFound,
        $"There is no method '{name}'. {NameMatcher.Suggestion(name, [.. methods.Select(m => m.Name).Distinct()])} A method of your own must be registered first, in the same PowerShell: Register-SparseAttentionMethod.",
        name);
}
