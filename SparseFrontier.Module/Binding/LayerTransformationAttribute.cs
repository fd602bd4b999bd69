using System.Globalization;
using System.Management.Automation;

namespace SparseFrontier.Binding;

/// <summary>Takes layers also as the text "0,1" that a specification row holds (PowerShell itself would read it as the number 1).</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class LayerTransformationAttribute : ArgumentTransformationAttribute
{
    /// <inheritdoc/>
    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData) =>
        Unwrap.Object(inputData) is string text ? Parse(text) : inputData;

    internal static int[] Parse(string text)
    {
        try
        {
            return [.. text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(t => int.Parse(t, CultureInfo.InvariantCulture))];
        }
        catch (FormatException e)
        {
            throw new ArgumentTransformationMetadataException($"'{text}' is not a list of layers such as '0,1'.", e);
        }
    }
}
