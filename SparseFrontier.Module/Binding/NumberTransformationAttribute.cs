using System.Collections;
using System.Globalization;
using System.Management.Automation;

namespace SparseFrontier.Binding;

/// <summary>
/// Takes numbers also as text, as the cells of a table hold them: "0,1" is two numbers (PowerShell itself would read 1) and an empty cell is none (PowerShell itself would
/// read 0). Where the user's culture has decimal commas, in which Export-Csv writes, "0,5" is one number and "0.5,0.9" are two. What is no such number is refused here: of a value that comes by property name, PowerShell would leave it out and take the default.
/// </summary>
/// <param name="element">int, long or double.</param>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class NumberTransformationAttribute(Type element) : ArgumentTransformationAttribute
{
    /// <summary>Whether the parameter is a single number, null where none is given; else it is a list.</summary>
    public bool IsSingle { get; init; }

    /// <inheritdoc/>
    public override object? Transform(EngineIntrinsics engineIntrinsics, object inputData) => Transform(inputData);

    internal object? Transform(object? inputData)
    {
        if (inputData is null)
        {
            return null;
        }

        Array numbers = Read(inputData).ToArray();
        if (!IsSingle)
        {
            var list = Array.CreateInstance(element, numbers.Length);
            Array.Copy(numbers, list, numbers.Length);
            return list;
        }

        return numbers.Length switch
        {
            0 => null,
            1 => numbers.GetValue(0),
            _ => throw new ArgumentTransformationMetadataException($"'{inputData}' is not a single number."),
        };
    }

    private IEnumerable<object> Read(object? value) => Unwrap.Object(value) switch
    {
        null => [],
        string text when element == typeof(double) && double.TryParse(text, NumberStyles.Float, CultureInfo.CurrentCulture, out double number) => [number],
        string text => text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(Number),
        IEnumerable list => list.Cast<object?>().SelectMany(Read),
        var other => [Number(other is IFormattable number ? number.ToString(null, CultureInfo.InvariantCulture) : other.ToString() ?? "")],
    };

    private object Number(string text)
    {
        CultureInfo culture = CultureInfo.InvariantCulture;
        if (element == typeof(double))
        {
            return double.TryParse(text, NumberStyles.Float, culture, out double real) ? real : throw Refuse(text, "a number such as 0.9");
        }

        // 1e3 and 4096.0, as other programs write them, are whole numbers too.
        (long least, long most) = element == typeof(int) ? (int.MinValue, int.MaxValue) : (long.MinValue, long.MaxValue);
        bool isWhole = long.TryParse(text, NumberStyles.AllowLeadingSign, culture, out long whole);
        if (!isWhole && double.TryParse(text, NumberStyles.Float, culture, out double written) && Math.Floor(written) == written && Math.Abs(written) < 1L << 53)
        {
            (isWhole, whole) = (true, (long)written);
        }

        return !isWhole || whole < least || whole > most ? throw Refuse(text, $"a whole number from {least} to {most}")
            : element == typeof(int) ? (object)(int)whole
            : whole;
    }

    private static ArgumentTransformationMetadataException Refuse(string text, string what) => new($"'{text}' is not {what}.");
}
