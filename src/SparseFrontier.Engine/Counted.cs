using System.Globalization;

namespace SparseFrontier;

/// <summary>Counts in messages: "1 run", "2 runs".</summary>
public static class Counted
{
    /// <summary>A count and its noun.</summary>
    /// <param name="count">How many.</param>
    /// <param name="one">The noun, or noun and verb, of one.</param>
    /// <param name="many">The same of several; without it the noun with an s.</param>
    public static string Of(long count, string one, string? many = null) =>
        string.Create(CultureInfo.InvariantCulture, $"{count} {(count == 1 ? one : many ?? one + "s")}");
}
