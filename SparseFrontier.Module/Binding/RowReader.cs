using System.Collections.Concurrent;
using System.Globalization;
using System.Reflection;

namespace SparseFrontier.Binding;

/// <summary>
/// Reads a typed row from named values of any origin: JSON, CSV (all text), hashtables, remoting. Columns that the type does not have are
/// ignored, missing ones keep their defaults. Text is read in the invariant culture; what that cannot read, in the user's, in which Export-Csv writes.
/// </summary>
internal static class RowReader
{
    private static readonly ConcurrentDictionary<Type, Dictionary<string, PropertyInfo>> s_columns = new();

    /// <summary>Whether the names hold every one of the required columns.</summary>
    public static bool Has(IEnumerable<string> names, IEnumerable<string> required)
    {
        var set = names.ToHashSet(StringComparer.OrdinalIgnoreCase);
        return required.All(set.Contains);
    }

    /// <summary>Reads a row.</summary>
    /// <param name="type">A class with a parameterless constructor and settable properties.</param>
    /// <param name="values">Named values.</param>
    /// <exception cref="FormatException">A value does not fit its column; the message names both.</exception>
    public static object Read(Type type, IEnumerable<KeyValuePair<string, object?>> values)
    {
        Dictionary<string, PropertyInfo> columns = s_columns.GetOrAdd(
            type,
            static t => t.GetProperties(BindingFlags.Public | BindingFlags.Instance)
                .Where(p => p.SetMethod is not null)
                .ToDictionary(p => p.Name, StringComparer.OrdinalIgnoreCase));
        object row = Activator.CreateInstance(type)!;
        foreach ((string name, object? value) in values)
        {
            if (columns.TryGetValue(name, out PropertyInfo? column) && !IsMissing(value, column.PropertyType))
            {
                column.SetValue(row, Convert(Unwrap.Object(value)!, column));
            }
        }

        return row;
    }

    // An empty CSV cell is a missing value, save in a text column.
    private static bool IsMissing(object? value, Type type) => value is null || (value is string { Length: 0 } && type != typeof(string));

    private static object Convert(object value, PropertyInfo column)
    {
        Type type = Nullable.GetUnderlyingType(column.PropertyType) ?? column.PropertyType;
        try
        {
            return type switch
            {
                _ when type.IsInstanceOfType(value) => value,
                _ when type.IsEnum => value is string name ? ParseEnum(type, name) : Enum.ToObject(type, System.Convert.ToInt32(value, CultureInfo.InvariantCulture)),
                _ when type == typeof(DateTimeOffset) => value is DateTime time
                    ? new DateTimeOffset(time.Kind == DateTimeKind.Unspecified ? DateTime.SpecifyKind(time, DateTimeKind.Utc) : time)
                    : Time(Text(value)),
                _ when type == typeof(double) && value is string text => Number(text),
                _ when type == typeof(string) => Text(value),
                _ => System.Convert.ChangeType(value, type, CultureInfo.InvariantCulture),
            };
        }
        catch (Exception e) when (e is FormatException or InvalidCastException or OverflowException or ArgumentException)
        {
            throw new FormatException($"{column.Name} cannot be '{Text(value)}': {e.Message}", e);
        }
    }

    // Neither reads separators of thousands, so that no text is a number in both cultures and not the same.
    private static double Number(string text) => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number)
        ? number
        : double.Parse(text, NumberStyles.Float, CultureInfo.CurrentCulture);

    // 05/11/2026 is a day in May to the invariant culture, whoever wrote it: it comes last.
    private static DateTimeOffset Time(string text) =>
        text.Length > 4 && text[4] == '-' && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset time) ? time
        : DateTimeOffset.TryParse(text, CultureInfo.CurrentCulture, DateTimeStyles.AssumeUniversal, out time) ? time
        : DateTimeOffset.Parse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal);

    private static object ParseEnum(Type type, string name) =>
        Enum.TryParse(type, name, ignoreCase: true, out object? value) && Enum.IsDefined(type, value!)
            ? value!
            : throw new FormatException($"it is one of {string.Join(", ", Enum.GetNames(type))}.");

    private static string Text(object value) => value is IFormattable number ? number.ToString(null, CultureInfo.InvariantCulture) : value.ToString() ?? "";
}
