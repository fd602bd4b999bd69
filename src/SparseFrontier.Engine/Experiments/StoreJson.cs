using System.Text.Json;
using System.Text.Json.Serialization;

namespace SparseFrontier.Experiments;

/// <summary>
/// How results are written: property names as in the classes, enums as names, what is missing as null. By reflection and not by generated
/// code: that gives init-only properties that a file lacks the default of their type and not of the class, which older files must get. Null where a class has no
/// null is refused: files come from anywhere.
/// </summary>
internal static class StoreJson
{
    /// <summary>For lines. A name that stands twice in an object is refused, since readers differ on which counts.</summary>
    public static JsonSerializerOptions Line { get; } = new()
    {
        Converters = { new JsonStringEnumConverter(), new FiniteNumberConverter() },
        RespectNullableAnnotations = true,
        AllowDuplicateProperties = false,
    };

    /// <summary>For files, indented for people.</summary>
    public static JsonSerializerOptions File { get; } = new(Line) { WriteIndented = true };

    /// <summary>JSON can say 1e999, which is read as infinity, and cannot write it again.</summary>
    private sealed class FiniteNumberConverter : JsonConverter<double>
    {
        public override double Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            reader.GetDouble() is var number && double.IsFinite(number) ? number : throw new JsonException("a number is too large.");

        public override void Write(Utf8JsonWriter writer, double value, JsonSerializerOptions options) => writer.WriteNumberValue(value);
    }
}
