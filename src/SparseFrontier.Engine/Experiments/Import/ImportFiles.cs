using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace SparseFrontier.Experiments.Import;

/// <summary>Reads files of other programs; what is wrong with one is said with its name.</summary>
internal static partial class ImportFiles
{
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
            return JsonSerializer.Deserialize<JsonElement>(text);
        }
        catch (JsonException first)
        {
            try
            {
                return JsonSerializer.Deserialize<JsonElement>(NotANumber().Replace(text, "null"));
            }
            catch (JsonException)
            {
                throw Invalid(path, first.Message, first);
            }
        }
    }

    [GeneratedRegex("(?<=[:,\\[]\\s*)(?:NaN|-?Infinity)(?=\\s*[,\\]}])")]
    private static partial Regex NotANumber();
}

/// <summary>What the readers ask of JSON that others wrote.</summary>
internal static class JsonElementExtensions
{
    /// <summary>A property; null if it is absent, or the element is no object.</summary>
    public static JsonElement? Get(this JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    /// <summary>A number, or a truth value as 0 or 1; null if it is neither.</summary>
    public static double? Number(this JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Number => element.GetDouble(),
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
