using System.Management.Automation;

namespace SparseFrontier.Binding;

/// <summary>Takes PowerShell's wrappers off values.</summary>
internal static class Unwrap
{
    /// <summary>The object itself; a custom object stays wrapped, since its properties live in the wrapper.</summary>
    public static object? Object(object? value) =>
        value is PSObject wrapper && wrapper.BaseObject is not PSCustomObject ? wrapper.BaseObject : value;
}
