using System.Collections;
using System.Management.Automation;

namespace SparseFrontier.Binding;

/// <summary>Takes methods as 'Quest', as @{ Name = 'Quest'; PageSize = 32 }, or as what Get-SparseAttentionMethod emits.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class MethodTransformationAttribute : ArgumentTransformationAttribute
{
    /// <inheritdoc/>
    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData) =>
        Unwrap.Object(inputData) is IEnumerable list and not (string or IDictionary)
            ? list.Cast<object?>().Select(Method).ToArray()
            : Method(inputData);

    private static string Method(object? item)
    {
        object? value = Unwrap.Object(item);
        try
        {
            return value is PSObject { Properties: { } properties } && properties["Name"] is { } name
                ? ParameterText.FromObject(Unwrap.Object(name.Value))
                : ParameterText.Method(value is SparseAttentionMethod method ? method.Name : value);
        }
        catch (FormatException e)
        {
            throw new ArgumentTransformationMetadataException(e.Message, e);
        }
    }
}
