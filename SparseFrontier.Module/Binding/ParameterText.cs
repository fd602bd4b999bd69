using System.Collections;
using System.Globalization;

namespace SparseFrontier.Binding;

/// <summary>Writes what PowerShell users pass as parameters (hashtables, lists, text) in the engine's form "Name=value;Name=value".</summary>
internal static class ParameterText
{
    /// <summary>The text of a parameter list; a nested table gives "Method.Name=value".</summary>
    public static string FromObject(object? value) => value switch
    {
        null => "",
        string text => text,
        IDictionary table => string.Join(';', Entries(table)),
        IEnumerable list => string.Join(';', list.Cast<object?>().Select(item => FromObject(Unwrap.Object(item))).Where(text => text.Length > 0)),
        _ => Scalar(value),
    };

    /// <summary>"Name;Parameter=value" of a method given by name, as a table with a Name, or as a method object.</summary>
    /// <exception cref="FormatException">A table without a Name.</exception>
    public static string Method(object? value)
    {
        if (value is not IDictionary table)
        {
            return FromObject(value);
        }

        string? name = null;
        var rest = new Hashtable();
        foreach (DictionaryEntry entry in table)
        {
            if (Scalar(entry.Key).Equals("Name", StringComparison.OrdinalIgnoreCase))
            {
                name = FromObject(Unwrap.Object(entry.Value));
            }
            else
            {
                rest.Add(entry.Key, entry.Value);
            }
        }

        if (string.IsNullOrEmpty(name))
        {
            throw new FormatException("A method given as a table needs a Name, as in @{ Name = 'Quest'; PageSize = 32 }.");
        }

        return rest.Count == 0 ? name : $"{name};{FromObject(rest)}";
    }

    private static IEnumerable<string> Entries(IDictionary table)
    {
        // Hashtables have no order of their own; the text must be the same every time.
        foreach (DictionaryEntry entry in table.Cast<DictionaryEntry>().OrderBy(e => Scalar(e.Key), StringComparer.OrdinalIgnoreCase))
        {
            object? value = Unwrap.Object(entry.Value);
            if (value is IDictionary inner)
            {
                foreach (string text in Entries(inner))
                {
                    yield return $"{Scalar(entry.Key)}.{text}";
                }
            }
            else
            {
                yield return $"{Scalar(entry.Key)}={Scalar(value)}";
            }
        }
    }

    private static string Scalar(object? value) => value switch
    {
        null => "",
        bool flag => flag ? "1" : "0",
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString() ?? "",
    };
}
