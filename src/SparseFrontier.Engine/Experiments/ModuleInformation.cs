using System.Reflection;

namespace SparseFrontier.Experiments;

/// <summary>What this build is.</summary>
internal static class ModuleInformation
{
    /// <summary>Version, with the commit where the build knows it.</summary>
    public static string Version { get; } =
        typeof(ModuleInformation).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0";
}
