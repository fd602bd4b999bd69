using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace SparseFrontier.Tensors;

/// <summary>What the host's memory still holds for this process.</summary>
internal static unsafe partial class HostMemory
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

    /// <summary>
    /// Asks Linux for pages of 2 MiB: through small ones memory is read a sixth more slowly on a virtual machine. A system that gives them unasked,
    /// or never, ignores it.
    /// </summary>
    /// <param name="pointer">First byte of memory that has just been allocated.</param>
    /// <param name="bytes">Its length; pages that reach beyond it stay small, so that no more memory is taken.</param>
    public static void PreferLargePages(void* pointer, nuint bytes)
    {
        const int HugePages = 14;
        nuint page = (nuint)Environment.SystemPageSize;
        nuint first = ((nuint)pointer + page - 1) / page * page;
        nuint end = ((nuint)pointer + bytes) / page * page;
        if (OperatingSystem.IsLinux() && end > first)
        {
            _ = Advise((void*)first, end - first, HugePages);
        }
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

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* address, nuint length, int advice);
}
