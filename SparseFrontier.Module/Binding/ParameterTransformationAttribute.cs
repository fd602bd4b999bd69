using System.Management.Automation;

namespace SparseFrontier.Binding;

/// <summary>Takes parameters as a hashtable (also nested by method), as "Name=value" or as a list of those.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class ParameterTransformationAttribute : ArgumentTransformationAttribute
{
    /// <inheritdoc/>
    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData) => ParameterText.FromObject(Unwrap.Object(inputData));
}
