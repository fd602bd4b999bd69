using System.Globalization;

namespace SparseFrontier.Experiments;

/// <summary>Parameters as text, "Name=value;Name=value", which is how specifications, rows and the command line carry them.</summary>
public static class ParameterText
{
    /// <summary>Reads parameters; later ones of the same name win. "true" and "false" stand for 1 and 0.</summary>
    /// <exception cref="SparseFrontierException">ParameterInvalid: not of the form, or not a number.</exception>
    public static IReadOnlyList<KeyValuePair<string, double>> Parse(string text)
    {
        var values = new List<KeyValuePair<string, double>>();
        foreach (string part in text.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            int equals = part.IndexOf('=', StringComparison.Ordinal);
            string name = equals > 0 ? part[..equals].Trim() : "";
            string value = equals > 0 ? part[(equals + 1)..].Trim() : "";
            double number = value.Equals("true", StringComparison.OrdinalIgnoreCase) ? 1 : 0;
            bool isSwitch = number == 1 || value.Equals("false", StringComparison.OrdinalIgnoreCase);
            if (name.Length == 0 || (!isSwitch && !double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out number)))
            {
                throw new SparseFrontierException(
                    ErrorIds.ParameterInvalid,
                    $"'{part}' is not a parameter. Write Name=number, several as \"Name=number;Name=number\", with a point as the decimal separator.",
                    part);
            }

            values.Add(new(name, number));
        }

        return values;
    }

    /// <summary>Writes parameters in the order of their names.</summary>
    public static string Format(IEnumerable<KeyValuePair<string, double>> values) =>
        string.Join(';', values.OrderBy(p => p.Key, StringComparer.OrdinalIgnoreCase).Select(p => string.Create(CultureInfo.InvariantCulture, $"{p.Key}={p.Value:R}")));
}
