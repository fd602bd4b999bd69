using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace SparseFrontier.Tensors;

/// <summary>What the host's memory still holds for this process.</summary>
internal static unsafe partial class HostMemory
{
    /// <summary>Bytes of a large page, from which on memory is worth mapping.</summary>
    public const uint LargePage = 2 << 20;

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
    /// Memory of the system's own that begins at a multiple of <see cref="LargePage"/> and is zero, on Linux, which is asked for large pages: through small ones
    /// memory is read a sixth more slowly on a virtual machine. A system that gives them unasked, or never, ignores it. Pages that reach beyond the end stay small, so
    /// that no more memory is taken.
    /// </summary>
    /// <param name="bytes">How much, more than 0.</param>
    /// <returns>Null elsewhere, and where it was refused.</returns>
    public static void* Map(nuint bytes)
    {
        if (!OperatingSystem.IsLinux())
        {
            return null;
        }

        // Newer systems align large mappings themselves; else as much more as alignment can need is taken and given back.
        nuint length = RoundUp(bytes);
        byte* memory = MapAnywhere(length);
        if (memory is not null && (nuint)memory % LargePage != 0)
        {
            _ = UnmapPages(memory, length);
            byte* wider = MapAnywhere(length + LargePage);
            if (wider is null)
            {
                return null;
            }

            nuint before = (LargePage - ((nuint)wider % LargePage)) % LargePage;
            memory = wider + before;
            if (before > 0)
            {
                _ = UnmapPages(wider, before);
            }

            _ = UnmapPages(memory + length, LargePage - before);
        }

        if (memory is not null)
        {
            const int HugePages = 14;
            _ = Advise(memory, length, HugePages);
        }

        return memory;
    }

    /// <summary>Gives back what <see cref="Map"/> gave.</summary>
    /// <param name="memory">Its first byte.</param>
    /// <param name="bytes">As many as were asked for.</param>
    public static void Unmap(void* memory, nuint bytes) => _ = UnmapPages(memory, RoundUp(bytes));

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

    private static nuint RoundUp(nuint bytes)
    {
        nuint page = (nuint)Environment.SystemPageSize;
        return checked(bytes + page - 1) / page * page;
    }

    private static byte* MapAnywhere(nuint length)
    {
        const int ReadAndWrite = 3;
        const int PrivateAnonymous = 0x22;
        nint memory = MapPages(null, length, ReadAndWrite, PrivateAnonymous, -1, 0);
        return memory == -1 ? null : (byte*)memory;
    }

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial nint MapPages(void* address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int UnmapPages(void* address, nuint length);

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* address, nuint length, int advice);
}
