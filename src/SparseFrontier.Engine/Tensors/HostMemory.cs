using System.Diagnostics;
using System.Globalization;

namespace SparseFrontier.Tensors;

/// <summary>What the host's memory still holds for this process.</summary>
internal static class HostMemory
{
    /// <summary>
    /// Bytes that the process can still take: what the system has without evicting programs, swap included, and what limits leave (of a container or job, as
    /// .NET reads them; of the address space, as ulimit -v sets it).
    /// </summary>
    public static long FreeBytes()
    {
        using var process = Process.GetCurrentProcess();
        long free = Math.Max(0, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes - process.WorkingSet64);
        if (OperatingSystem.IsLinux())
        {
            if (Field("/proc/meminfo", "MemAvailable:") is long available)
            {
                free = Math.Min(free, 1024 * (available + (Field("/proc/meminfo", "SwapFree:") ?? 0)));
            }

            if (Field("/proc/self/limits", "Max address space") is long limit)
            {
                free = Math.Min(free, Math.Max(0, limit - process.VirtualMemorySize64));
            }
        }

        return free;
    }

    /// <summary>The error of memory that was refused.</summary>
    /// <param name="what">What needed it, and how much, as a sentence.</param>
    /// <param name="advice">What to do.</param>
    /// <param name="target">What the error is about.</param>
    /// <param name="cause">The refusal.</param>
    public static SparseFrontierException Exhausted(string what, string advice, object? target, Exception? cause = null) => new(
        ErrorIds.DeviceOutOfMemory,
        FormattableString.Invariant($"{what} {(cause is null ? "" : cause.Message + " ")}{FreeBytes() / 1048576.0:F0} MiB of memory are free. {advice}"),
        target,
        cause);

    /// <summary>The first number after a name in a file of /proc; null if there is none, or "unlimited".</summary>
    private static long? Field(string file, string name)
    {
        try
        {
            string? line = File.ReadLines(file).FirstOrDefault(l => l.StartsWith(name, StringComparison.Ordinal));
            string[] words = line?[name.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries) ?? [];
            return words.Length > 0 && long.TryParse(words[0], NumberStyles.None, CultureInfo.InvariantCulture, out long value) ? value : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
