using System.Text.Encodings.Web;
using System.Text.Json;

namespace SparseFrontier.Tasks;

/// <summary>Gold fields as JSON, with the reference's field names.</summary>
internal static class Gold
{
    private static readonly JsonSerializerOptions s_options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>A JSON object of one or two fields.</summary>
    public static string Write(params (string Name, object Value)[] fields) =>
        JsonSerializer.Serialize(fields.ToDictionary(f => f.Name, f => f.Value), s_options);

    /// <summary>Reads a field of a gold object.</summary>
    /// <exception cref="SparseFrontierException">ParameterInvalid: no JSON object, or the field is absent or of another type.</exception>
    public static T Read<T>(string goldJson, string field, string task)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(goldJson);
            if (document.RootElement.ValueKind == JsonValueKind.Object
                && document.RootElement.TryGetProperty(field, out JsonElement element)
                && element.Deserialize<T>() is { } value
                && !(value is string?[] texts && texts.Contains(null)))
            {
                return value;
            }
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: text that is no valid Unicode.
            throw Invalid(goldJson, field, task, exception);
        }

        throw Invalid(goldJson, field, task, null);
    }

    /// <summary>The error of a gold that is not the task's.</summary>
    public static SparseFrontierException Invalid(string goldJson, string field, string task, Exception? cause) => new(
        ErrorIds.ParameterInvalid,
        $"The gold of a {task} sample is a JSON object with the field '{field}'; this is not: {(goldJson.Length > 200 ? goldJson[..200] + "…" : goldJson)}",
        goldJson,
        cause);
}
