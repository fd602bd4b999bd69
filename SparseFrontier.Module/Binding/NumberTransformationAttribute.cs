using System.Globalization;
using System.Management.Automation;

namespace SparseFrontier.Binding;

/// <summary>
/// Takes lists of numbers also as text, as the cells of a table hold them: "0,1" is two numbers (PowerShell itself would read 1) and an empty
/// cell is none (PowerShell itself would read 0).
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class NumberTransformationAttribute : ArgumentTransformationAttribute
{
    /// <inheritdoc/>
    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData) =>
        Unwrap.Object(inputData) is string text ? Parse(text) : inputData;

    internal static double[] Parse(string text)
    {
        try
        {
            return [.. text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
                .Select(t => double.Parse(t, NumberStyles.Float, CultureInfo.InvariantCulture))];
        }
        catch (FormatException e)
        {
            throw new ArgumentTransformationMetadataException($"'{text}' is not a list of numbers such as '0.5,0.9'.", e);
        }
    }
}
