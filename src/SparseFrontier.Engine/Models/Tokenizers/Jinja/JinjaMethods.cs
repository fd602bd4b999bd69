using System.Text;

namespace SparseFrontier.Models.Tokenizers.Jinja;

/// <summary>Python's methods of strings and mappings, as far as chat templates call them.</summary>
internal static class JinjaMethods
{
    private static readonly Dictionary<string, Func<string, JinjaCall, object?>> s_strings = new(StringComparer.Ordinal)
    {
        ["strip"] = static (text, call) => Strip(text, call, left: true, right: true),
        ["lstrip"] = static (text, call) => Strip(text, call, left: true, right: false),
        ["rstrip"] = static (text, call) => Strip(text, call, left: false, right: true),
        ["upper"] = static (text, _) => text.ToUpperInvariant(),
        ["lower"] = static (text, _) => text.ToLowerInvariant(),
        ["title"] = static (text, _) => Title(text),
        ["capitalize"] = static (text, _) => Capitalize(text),
        ["startswith"] = static (text, call) => Affixes(call).Any(affix => text.StartsWith(affix, StringComparison.Ordinal)),
        ["endswith"] = static (text, call) => Affixes(call).Any(affix => text.EndsWith(affix, StringComparison.Ordinal)),
        ["split"] = static (text, call) => Split(text, call),
        ["replace"] = static (text, call) => Replace(text, call),
        ["find"] = static (text, call) => Find(text, call),
    };

    /// <summary>A method bound to a value; null where the value has no such method.</summary>
    public static JinjaFunction? Find(object? target, string name) => (target, name) switch
    {
        (string text, _) when s_strings.TryGetValue(name, out Func<string, JinjaCall, object?>? method) => call => method(text, call),
        (Dictionary<string, object?> mapping, "items") => _ => Pairs(mapping),
        (Dictionary<string, object?> mapping, "keys") => call => JinjaValues.Items(mapping, call.Line),
        (Dictionary<string, object?> mapping, "values") => _ => mapping.Values.ToList(),
        (Dictionary<string, object?> mapping, "get") => call =>
            call.Required(0, "key") is string key && mapping.TryGetValue(key, out object? value) ? value : call.Optional(1, "default", null),
        _ => null,
    };

    /// <summary>The entries of a mapping as pairs.</summary>
    public static List<object?> Pairs(Dictionary<string, object?> mapping) =>
        mapping.Select(static entry => (object?)new List<object?> { entry.Key, entry.Value }).ToList();

    /// <summary>Takes whitespace, or any of the given characters, off the ends.</summary>
    public static string Strip(string text, JinjaCall call, bool left, bool right)
    {
        call.Allow(1, "chars");
        string? characters = call.Optional(0, "chars", null) as string;
        int start = 0;
        int end = text.Length;
        bool Goes(char c) => characters is null ? IsWhiteSpace(c) : characters.Contains(c, StringComparison.Ordinal);
        while (left && start < end && Goes(text[start]))
        {
            start++;
        }

        while (right && end > start && Goes(text[end - 1]))
        {
            end--;
        }

        return text[start..end];
    }

    /// <summary>Each run of letters with a capital first.</summary>
    public static string Title(string text)
    {
        var builder = new StringBuilder(text.Length);
        bool inside = false;
        foreach (char c in text)
        {
            builder.Append(inside ? char.ToLowerInvariant(c) : char.ToUpperInvariant(c));
            inside = char.IsLetter(c);
        }

        return builder.ToString();
    }

    /// <summary>A capital first, the rest lower-case.</summary>
    public static string Capitalize(string text) => text.Length == 0 ? text : char.ToUpperInvariant(text[0]) + text[1..].ToLowerInvariant();

    /// <summary>Replaces a text, at most a number of times.</summary>
    public static string Replace(string text, JinjaCall call)
    {
        call.Allow(3, "old", "new", "count");
        string from = JinjaValues.Text(call.Required(0, "old"), call.Line);
        string to = JinjaValues.Text(call.Required(1, "new"), call.Line);
        long remaining = JinjaValues.Integer(call.Optional(2, "count", -1L)) ?? -1;
        if (from.Length == 0)
        {
            throw JinjaErrors.Unsupported("the replacement of an empty string", call.Line);
        }

        var builder = new StringBuilder(text.Length);
        int position = 0;
        while (remaining != 0 && text.IndexOf(from, position, StringComparison.Ordinal) is >= 0 and int found)
        {
            JinjaWork.Spend(to.Length, call.Line);
            builder.Append(text, position, found - position).Append(to);
            position = found + from.Length;
            remaining--;
        }

        return builder.Append(text, position, text.Length - position).ToString();
    }

    // Python counts the four ASCII separators as whitespace too.
    private static bool IsWhiteSpace(char c) => char.IsWhiteSpace(c) || c is >= '\u001C' and <= '\u001F';

    private static IEnumerable<string> Affixes(JinjaCall call)
    {
        call.Allow(1);
        return call.Required(0, "prefix") switch
        {
            string affix => [affix],
            List<object?> affixes => affixes.OfType<string>(),
            object other => throw JinjaErrors.Unsupported($"'{call.Name}' of {JinjaValues.TypeName(other)}", call.Line),
            null => throw JinjaErrors.Unsupported($"'{call.Name}' of none", call.Line),
        };
    }

    private static List<object?> Split(string text, JinjaCall call)
    {
        call.Allow(2, "sep", "maxsplit");
        long limit = JinjaValues.Integer(call.Optional(1, "maxsplit", -1L)) ?? -1;
        int parts = limit is < 0 or >= int.MaxValue ? int.MaxValue : (int)limit + 1;
        object? separator = call.Optional(0, "sep", null);
        if (separator is string { Length: > 0 } written)
        {
            return text.Split(written, parts).Select(static part => (object?)part).ToList();
        }

        if (separator is not null)
        {
            throw JinjaErrors.Unsupported($"a split at {JinjaValues.TypeName(separator)}", call.Line);
        }

        if (limit >= 0)
        {
            throw JinjaErrors.Unsupported("a split at whitespace with a limit", call.Line);
        }

        var words = new List<object?>();
        int start = -1;
        for (int i = 0; i <= text.Length; i++)
        {
            bool space = i == text.Length || IsWhiteSpace(text[i]);
            if (space && start >= 0)
            {
                words.Add(text[start..i]);
                start = -1;
            }
            else if (!space && start < 0)
            {
                start = i;
            }
        }

        return words;
    }

    private static long Find(string text, JinjaCall call)
    {
        call.Allow(1);
        JinjaWork.SpendSearch(text, call.Line);
        int found = text.IndexOf(JinjaValues.Text(call.Required(0, "sub"), call.Line), StringComparison.Ordinal);
        return found < 0 ? -1 : JinjaValues.Length(text[..found], call.Line);
    }
}
