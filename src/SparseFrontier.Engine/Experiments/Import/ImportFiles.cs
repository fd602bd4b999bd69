using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace SparseFrontier.Experiments.Import;

/// <summary>Reads files of other programs; what is wrong with one is said with its name.</summary>
internal static partial class ImportFiles
{
    private static readonly JsonSerializerOptions s_json = new() { AllowDuplicateProperties = false };

    /// <summary>The text of a file; null if there is none.</summary>
    /// <exception cref="SparseFrontierException">ResultUnreadable.</exception>
    public static string? Text(string path) => StoreIO.ReadAll(path) is { } bytes ? Encoding.UTF8.GetString(bytes).TrimStart('\ufeff') : null;

    /// <summary>A JSON file. Python writes numbers that are none as NaN and Infinity, which JSON has no word for: they are read as null.</summary>
    /// <exception cref="SparseFrontierException">FileNotFound, ResultUnreadable, or ResultRowInvalid: no JSON.</exception>
    public static JsonElement Json(string path)
    {
        string text = Text(path) ?? throw new SparseFrontierException(ErrorIds.FileNotFound, $"There is no file '{path}'.", path);
        return Parse(text, path);
    }

    /// <summary>The objects of a JSON-lines file.</summary>
    /// <exception cref="SparseFrontierException">ResultRowInvalid: a line is no JSON object.</exception>
    public static IEnumerable<JsonElement> JsonLines(string path)
    {
        int number = 0;
        foreach (string line in (Text(path) ?? "").Split('\n'))
        {
            number++;
            if (!string.IsNullOrWhiteSpace(line))
            {
                JsonElement element = Parse(line, FormattableString.Invariant($"line {number} of {path}"));
                yield return element.ValueKind == JsonValueKind.Object ? element : throw Invalid(path, FormattableString.Invariant($"line {number} is no object."), null);
            }
        }
    }

    /// <summary>SHA-256 of files, in order.</summary>
    public static string Hash(params IEnumerable<string> paths)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (string path in paths)
        {
            hash.AppendData(StoreIO.ReadAll(path) ?? []);
            hash.AppendData([0]);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>The error of a file that is not what it should be.</summary>
    public static SparseFrontierException Invalid(string path, string why, Exception? cause) => new(
        ErrorIds.ResultRowInvalid, $"'{path}' cannot be imported: {why}", path, cause);

    private static JsonElement Parse(string text, string path)
    {
        try
        {
            return Checked(JsonSerializer.Deserialize<JsonElement>(text, s_json), text, path);
        }
        catch (JsonException first)
        {
            try
            {
                return Checked(JsonSerializer.Deserialize<JsonElement>(NotANumber().Replace(text, "$1null"), s_json), text, path);
            }
            catch (JsonException)
            {
                throw Invalid(path, first.Message, first);
            }
        }
    }

    // Escapes of half a character are well-formed JSON and no text: whoever read them later would fail.
    private static JsonElement Checked(JsonElement element, string text, string path)
    {
        try
        {
            if (text.Contains("\\ud", StringComparison.OrdinalIgnoreCase))
            {
                ReadTexts(element);
            }

            return element;
        }
        catch (InvalidOperationException e)
        {
            throw Invalid(path, e.Message, e);
        }
    }

    private static void ReadTexts(JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.String:
                _ = element.GetString();
                break;
            case JsonValueKind.Array:
                foreach (JsonElement item in element.EnumerateArray())
                {
                    ReadTexts(item);
                }

                break;
            case JsonValueKind.Object:
                foreach (JsonProperty property in element.EnumerateObject())
                {
                    _ = property.Name;
                    ReadTexts(property.Value);
                }

                break;
        }
    }

    [GeneratedRegex("([:,\\[]\\s*)(?:NaN|-?Infinity)(?=\\s*[,\\]}])")]
    private static partial Regex NotANumber();
}

/// <summary>What the readers ask of JSON that others wrote.</summary>
internal static class JsonElementExtensions
{
    /// <summary>A property; null if it is absent, or the element is no object.</summary>
    public static JsonElement? Get(this JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    /// <summary>A number, or a truth value as 0 or 1; null if it is neither, or too large.</summary>
    public static double? Number(this JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Number => element.GetDouble() is var number && double.IsFinite(number) ? number : null,
        JsonValueKind.True => 1,
        JsonValueKind.False => 0,
        _ => null,
    };

    /// <summary>A text property; null if it is none.</summary>
    public static string? Text(this JsonElement element, string name) => element.Get(name) is { ValueKind: JsonValueKind.String } text ? text.GetString() : null;

    /// <summary>A number property; null if it is none.</summary>
    public static double? Number(this JsonElement element, string name) => element.Get(name)?.Number();

    /// <summary>A whole number property; null if it is none.</summary>
    public static long? Whole(this JsonElement element, string name) =>
        element.Get(name) is { ValueKind: JsonValueKind.Number } number && number.TryGetInt64(out long value) ? value : null;
}
