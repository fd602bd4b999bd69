using System.Collections;
using System.Globalization;
using System.Text;

namespace SparseFrontier.Models.Tokenizers.Jinja;

/// <summary>A name or member that has no value; false and empty, and an error to look into.</summary>
internal sealed record JinjaUndefined(string Name);

/// <summary>What <c>namespace()</c> gives: members that statements may set.</summary>
internal sealed class JinjaNamespace
{
    /// <summary>The members.</summary>
    public Dictionary<string, object?> Members { get; } = new(StringComparer.Ordinal);
}

/// <summary>A function, macro or bound method.</summary>
internal delegate object? JinjaFunction(JinjaCall call);

/// <summary>Evaluated arguments; each is taken by position or by name.</summary>
internal sealed record JinjaCall(string Name, List<object?> Positional, Dictionary<string, object?> Named, int Line)
{
    /// <summary>The argument at a position or of a name; the given value where it is absent.</summary>
    public object? Optional(int position, string name, object? otherwise) =>
        position < Positional.Count ? Positional[position] : Named.GetValueOrDefault(name, otherwise);

    /// <summary>The argument at a position or of a name.</summary>
    public object? Required(int position, string name) =>
        position < Positional.Count || Named.ContainsKey(name)
            ? Optional(position, name, null)
            : throw JinjaErrors.Unsupported($"'{Name}' without its argument '{name}'", Line);

    /// <summary>Refuses more positional arguments than a number, and names other than the given ones.</summary>
    public void Allow(int positional, params ReadOnlySpan<string> names)
    {
        if (Positional.Count > positional)
        {
            throw JinjaErrors.Unsupported($"'{Name}' with {Counted.Of(Positional.Count, "argument")}", Line);
        }

        foreach (string name in Named.Keys)
        {
            if (!names.Contains(name))
            {
                throw JinjaErrors.Unsupported($"'{Name}' with the argument '{name}'", Line);
            }
        }
    }
}

/// <summary>
/// Jinja's values with Python's rules. None is null; the other types are bool, long, double, string, List, Dictionary,
/// <see cref="JinjaNamespace"/>, <see cref="JinjaFunction"/> and <see cref="JinjaUndefined"/>.
/// </summary>
internal static class JinjaValues
{
    /// <summary>Python's truth.</summary>
    public static bool IsTrue(object? value) => value switch
    {
        null or JinjaUndefined => false,
        bool flag => flag,
        long integer => integer != 0,
        double number => number != 0,
        string text => text.Length > 0,
        ICollection collection => collection.Count > 0,
        _ => true,
    };

    /// <summary>Python's equality.</summary>
    public static bool AreEqual(object? left, object? right, int line)
    {
        JinjaWork.RequireStack(line);
        JinjaWork.Spend(left is string same ? 1 + (same.Length >> 4) : 1, line);
        if (Number(left) is { } a && Number(right) is { } b)
        {
            return a == b;
        }

        return (left, right) switch
        {
            (string x, string y) => x == y,
            (List<object?> x, List<object?> y) => x.Count == y.Count && x.Zip(y).All(pair => AreEqual(pair.First, pair.Second, line)),
            (Dictionary<string, object?> x, Dictionary<string, object?> y) =>
                x.Count == y.Count && x.All(entry => y.TryGetValue(entry.Key, out object? other) && AreEqual(entry.Value, other, line)),
            (JinjaUndefined, JinjaUndefined) => true,
            _ => ReferenceEquals(left, right),
        };
    }

    /// <summary>Python's order of numbers or of strings (by code point); refused for other types.</summary>
    public static int Compare(object? left, object? right, int line)
    {
        if (Number(left) is { } a && Number(right) is { } b)
        {
            return a.CompareTo(b);
        }

        return left is string x && right is string y
            ? CompareCodePoints(x, y, line)
            : throw JinjaErrors.Unsupported($"the comparison of {TypeName(left)} with {TypeName(right)}", line);
    }

    /// <summary>The number a value stands for in arithmetic; null if it stands for none.</summary>
    public static double? Number(object? value) => value switch
    {
        bool flag => flag ? 1 : 0,
        long integer => integer,
        double number => number,
        _ => null,
    };

    /// <summary>The integer a value stands for; null if it stands for none.</summary>
    public static long? Integer(object? value) => value switch
    {
        bool flag => flag ? 1 : 0,
        long integer => integer,
        _ => null,
    };

    /// <summary>The items of a value: of a list, the characters of a string, the keys of a mapping.</summary>
    public static List<object?> Items(object? value, int line) => value switch
    {
        List<object?> list => list,
        string text => Characters(text, line),
        Dictionary<string, object?> mapping => mapping.Keys.Select(static key => (object?)key).ToList(),
        JinjaUndefined => [],
        _ => throw JinjaErrors.Unsupported($"a loop over {TypeName(value)}", line),
    };

    /// <summary>Number of items; characters are code points, as in Python.</summary>
    public static long Length(object? value, int line) => value switch
    {
        string text => LengthOf(text, line),
        ICollection collection => collection.Count,
        JinjaUndefined => 0,
        _ => throw JinjaErrors.Unsupported($"the length of {TypeName(value)}", line),
    };

    /// <summary>The text of a value, as Python's <c>str</c> gives it.</summary>
    public static string Text(object? value, int line) => value switch
    {
        string text => text,
        JinjaUndefined => "",
        _ => Representation(value, line),
    };

    /// <summary>A type's name for messages.</summary>
    public static string TypeName(object? value) => value switch
    {
        null => "none",
        JinjaUndefined undefined => $"'{undefined.Name}', which is undefined,",
        bool => "a boolean",
        long => "an integer",
        double => "a float",
        string => "a string",
        List<object?> => "a list",
        Dictionary<string, object?> => "a mapping",
        JinjaNamespace => "a namespace",
        _ => "a function",
    };

    private static List<object?> Characters(string text, int line)
    {
        JinjaWork.Spend(text.Length, line);
        return text.EnumerateRunes().Select(static rune => (object?)rune.ToString()).ToList();
    }

    private static long LengthOf(string text, int line)
    {
        JinjaWork.SpendSearch(text, line);
        return text.Length - text.Count(char.IsLowSurrogate);
    }

    private static string Representation(object? value, int line)
    {
        JinjaWork.RequireStack(line);
        JinjaWork.Spend(value is string { Length: var length } ? length : 1, line);
        switch (value)
        {
            case null:
                return "None";
            case bool flag:
                return flag ? "True" : "False";
            case long integer:
                return integer.ToString(CultureInfo.InvariantCulture);
            case double number:
                string digits = number.ToString("R", CultureInfo.InvariantCulture);
                return digits.All(static c => c == '-' || char.IsAsciiDigit(c)) ? digits + ".0" : digits;
            case string text:
                return Quoted(text);
            case List<object?> list:
                return Joined($"[{string.Join(", ", list.Select(item => Representation(item, line)))}]", line);
            case Dictionary<string, object?> mapping:
                return Joined($"{{{string.Join(", ", mapping.Select(entry => $"{Quoted(entry.Key)}: {Representation(entry.Value, line)}"))}}}", line);
            default:
                throw JinjaErrors.Unsupported($"the text of {TypeName(value)}", line);
        }
    }

    // A list in a list is copied again.
    private static string Joined(string text, int line)
    {
        JinjaWork.Spend(text.Length, line);
        return text;
    }

    private static string Quoted(string text)
    {
        char quote = text.Contains('\'', StringComparison.Ordinal) && !text.Contains('"', StringComparison.Ordinal) ? '"' : '\'';
        var builder = new StringBuilder().Append(quote);
        foreach (char c in text)
        {
            builder.Append(c switch
            {
                '\n' => @"\n",
                '\r' => @"\r",
                '\t' => @"\t",
                '\\' => @"\\",
                _ when c == quote => $@"\{c}",
                _ => c.ToString(),
            });
        }

        return builder.Append(quote).ToString();
    }

    private static int CompareCodePoints(string left, string right, int line)
    {
        JinjaWork.SpendSearch(left, line);
        StringRuneEnumerator others = right.EnumerateRunes();
        foreach (Rune rune in left.EnumerateRunes())
        {
            if (!others.MoveNext())
            {
                return 1;
            }

            int order = rune.CompareTo(others.Current);
            if (order != 0)
            {
                return order;
            }
        }

        return others.MoveNext() ? -1 : 0;
    }
}
