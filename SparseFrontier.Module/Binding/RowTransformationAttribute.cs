using System.Collections;
using System.Management.Automation;

namespace SparseFrontier.Binding;

/// <summary>
/// Lets rows from anywhere (ConvertFrom-Json, Import-Csv, hashtables, jobs and remoting) bind to a typed parameter: known columns are read,
/// others ignored. What does not look like a row is left to PowerShell's own binding.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class RowTransformationAttribute(Type rowType, params string[] requiredColumns) : ArgumentTransformationAttribute
{
    /// <summary>Type of the row.</summary>
    public Type RowType { get; } = rowType;

    /// <summary>A column that holds the row, where the row itself has not the required ones; null for none.</summary>
    public string? Within { get; init; }

    /// <summary>A column that such rows do not have: with it a row is another's; null for none.</summary>
    public string? Without { get; init; }

    /// <inheritdoc/>
    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData)
    {
        object? value = Unwrap.Object(inputData);
        if (value is IEnumerable list and not (string or IDictionary))
        {
            object?[] items = [.. list.Cast<object?>().Select(Row)];
            if (!items.All(RowType.IsInstanceOfType))
            {
                return inputData;
            }

            var rows = Array.CreateInstance(RowType, items.Length);
            items.CopyTo(rows, 0);
            return rows;
        }

        return Row(inputData) ?? inputData;
    }

    private object? Row(object? item)
    {
        object? value = Unwrap.Object(item);
        if (value is null || RowType.IsInstanceOfType(value))
        {
            return value;
        }

        List<KeyValuePair<string, object?>> columns = Columns(value);
        if (Without is not null && RowReader.Has(columns.Select(c => c.Key), [Without]))
        {
            return item;
        }

        if (!RowReader.Has(columns.Select(c => c.Key), requiredColumns))
        {
            return Within is not null && columns.Find(c => c.Key.Equals(Within, StringComparison.OrdinalIgnoreCase)).Value is { } within && Row(within) is { } row && RowType.IsInstanceOfType(row) ? row : item;
        }

        try
        {
            return RowReader.Read(RowType, columns);
        }
        catch (FormatException e)
        {
            throw new ArgumentTransformationMetadataException($"Not a {RowType.Name} row: {e.Message}", e);
        }
    }

    private static List<KeyValuePair<string, object?>> Columns(object value)
    {
        var columns = new List<KeyValuePair<string, object?>>();
        switch (value)
        {
            case IDictionary table:
                columns.AddRange(table.Cast<DictionaryEntry>().Select(e => KeyValuePair.Create(e.Key.ToString() ?? "", e.Value)));
                break;
            case PSObject row:
                columns.AddRange(row.Properties.Select(p => KeyValuePair.Create<string, object?>(p.Name, p.Value)));
                break;
        }

        return columns;
    }
}
