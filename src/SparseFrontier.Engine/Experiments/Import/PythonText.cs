using System.Text;

namespace SparseFrontier.Experiments.Import;

/// <summary>Reads texts that Python wrote: lists of strings as it prints them, and the top level of a YAML file.</summary>
internal static class PythonText
{
    /// <summary>The strings of a printed list or array, separated by commas or spaces: <c>['a', "b's"]</c> and <c>['a' 'b']</c>; null if the text is no such list.</summary>
    public static IReadOnlyList<string>? Strings(string text)
    {
        string trimmed = text.Trim();
        if (!trimmed.StartsWith('[') || !trimmed.EndsWith(']'))
        {
            return null;
        }

        List<string> strings = [];
        for (int i = 1; i < trimmed.Length - 1; i++)
        {
            char c = trimmed[i];
            if (c is '\'' or '"')
            {
                var value = new StringBuilder();
                for (i++; i < trimmed.Length - 1 && trimmed[i] != c; i++)
                {
                    value.Append(trimmed[i] == '\\' && i + 1 < trimmed.Length - 1 ? Escaped(trimmed[++i]) : trimmed[i]);
                }

                if (i >= trimmed.Length - 1)
                {
                    return null;
                }

                strings.Add(value.ToString());
            }
            else if (c != ',' && !char.IsWhiteSpace(c))
            {
                return null;
            }
        }

        return strings;
    }

    /// <summary>The plain values of the top level of a YAML mapping; what is nested is left out, null is absent.</summary>
    public static IReadOnlyDictionary<string, string> TopLevel(string yaml)
    {
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (string line in yaml.Split('\n').Select(l => l.TrimEnd('\r')))
        {
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon <= 0 || char.IsWhiteSpace(line[0]) || line[0] is '#' or '-')
            {
                continue;
            }

            string value = line[(colon + 1)..].Trim();
            if (value.Length >= 2 && value[0] == value[^1] && value[0] is '\'' or '"')
            {
                value = value[0] == '\'' ? value[1..^1].Replace("''", "'", StringComparison.Ordinal) : value[1..^1];
            }
            else if (value is "null" or "~" or "" or "{}")
            {
                continue;
            }

            values[line[..colon].Trim()] = value;
        }

        return values;
    }

    private static char Escaped(char c) => c switch
    {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        _ => c,
    };
}
