using System.Management.Automation;

namespace SparseFrontier.Binding;

/// <summary>
/// Takes switches also as the text that a table's cell holds: PowerShell itself binds no text to a switch, and silently leaves it off.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class SwitchTransformationAttribute : ArgumentTransformationAttribute
{
    /// <inheritdoc/>
    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData) =>
        Unwrap.Object(inputData) is string text ? Parse(text) : inputData;

    internal static bool Parse(string text) => text.Trim().ToUpperInvariant() switch
    {
        "TRUE" or "1" => true,
        "FALSE" or "0" or "" => false,
        _ => throw new ArgumentTransformationMetadataException($"'{text}' is neither True nor False."),
    };
}
