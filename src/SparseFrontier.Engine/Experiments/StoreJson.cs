using System.Text.Json;
using System.Text.Json.Serialization;

namespace SparseFrontier.Experiments;

/// <summary>
/// How results are written: property names as in the classes, enums as names, what is missing as null. By reflection and not by generated
/// code: that gives init-only properties that a file lacks the default of their type and not of the class, which older files must get.
/// </summary>
internal static class StoreJson
{
    /// <summary>For lines.</summary>
    public static JsonSerializerOptions Line { get; } = new() { Converters = { new JsonStringEnumConverter() } };

    /// <summary>For files, indented for people.</summary>
    public static JsonSerializerOptions File { get; } = new(Line) { WriteIndented = true };
}
