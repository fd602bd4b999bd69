using System.Management.Automation;
using System.Runtime.CompilerServices;

namespace SparseFrontier.Shell;

/// <summary>
/// Loads the engine when the module is imported: scripts may name its types, such as [SparseFrontier.RunSpecification], before they call a
/// cmdlet, and views of rows from other sessions need it too.
/// </summary>
public sealed class EngineLoader : IModuleAssemblyInitializer
{
    /// <inheritdoc/>
    public void OnImport() => RuntimeHelpers.RunModuleConstructor(typeof(RunSpecification).Module.ModuleHandle);
}
