using System.Runtime.InteropServices;

namespace SparseFrontier.Experiments;

/// <summary>What results say of the machine that made them.</summary>
internal static class HostInformation
{
    /// <summary>The processor's name, or its architecture where the system does not tell.</summary>
    public static string ProcessorName { get; } = ReadProcessorName();

    private static string ReadProcessorName()
    {
        try
        {
            string? line = OperatingSystem.IsLinux()
                ? File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))
                : Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER");
            string? name = line?[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim();
            return string.IsNullOrEmpty(name) ? RuntimeInformation.ProcessArchitecture.ToString() : name;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return RuntimeInformation.ProcessArchitecture.ToString();
        }
    }
}
