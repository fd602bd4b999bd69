using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace SparseFrontier.Experiments;

/// <summary>What results say of the machine that made them.</summary>
internal static class HostInformation
{
    /// <summary>The processor's name, or its architecture where the system does not tell.</summary>
    public static string ProcessorName { get; } = ReadProcessorName();

    /// <summary>"family 26 model 2" of an x86 processor, whose name alone may be that of several generations; else empty.</summary>
    public static string ProcessorFamily { get; } = ReadProcessorFamily();

    private static string ReadProcessorFamily()
    {
        if (!X86Base.IsSupported)
        {
            return "";
        }

        int signature = X86Base.CpuId(1, 0).Eax;
        int family = (signature >> 8) & 15;
        int model = (signature >> 4) & 15;
        return FormattableString.Invariant(
            $"family {(family == 15 ? 15 + ((signature >> 20) & 255) : family)} model {(family is 6 or 15 ? (((signature >> 16) & 15) << 4) + model : model)}");
    }

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
