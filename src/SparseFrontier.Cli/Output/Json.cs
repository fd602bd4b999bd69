using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace SparseFrontier.Cli.Output;

/// <summary>Objects as JSON lines: property names as in the classes and in the result store, enums as names.</summary>
internal static class Json
{
    private static readonly JsonSerializerOptions s_options = new()
    {
        Converters = { new JsonStringEnumConverter() },
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    /// <summary>One line, without its end.</summary>
    public static string Line(object value) => JsonSerializer.Serialize(value, value.GetType(), s_options);
}
