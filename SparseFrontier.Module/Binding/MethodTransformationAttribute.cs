using System.Collections;
using System.Management.Automation;

namespace SparseFrontier.Binding;

/// <summary>Takes methods as 'Quest', as @{ Name = 'Quest'; PageSize = 32 }, as an object with such properties, or as what Get-SparseAttentionMethod emits.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class MethodTransformationAttribute : ArgumentTransformationAttribute
{
    /// <inheritdoc/>
    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData) =>
        Unwrap.Object(inputData) is IEnumerable list and not (string or IDictionary)
            ? list.Cast<object?>().Select(Method).ToArray()
            : Method(inputData);

    // What Get-SparseAttentionMethod emitted in another session or into a file describes a method; any other object is like a table.
    private static object? FromObject(PSMemberInfoCollection<PSPropertyInfo> properties) =>
        properties[nameof(SparseAttentionMethod.Name)] is { } name && properties[nameof(SparseAttentionMethod.DefaultParameters)] is not null
            ? Unwrap.Object(name.Value)
            : properties.ToDictionary(p => p.Name, p => p.Value);

    private static string Method(object? item)
    {
        object? value = Unwrap.Object(item);
        try
        {
            return ParameterText.Method(value switch
            {
                SparseAttentionMethod method => method.Name,
                PSObject { Properties: { } properties } => FromObject(properties),
                _ => value,
            });
        }
        catch (FormatException e)
        {
            throw new ArgumentTransformationMetadataException(e.Message, e);
        }
    }
}
