using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;

namespace SparseFrontier.Experiments;

/// <summary>
/// Tells a process from a later one of the same id, by what no change of the clock moves: on Linux the start of the machine and the ticks from there to the
/// process's start (proc(5), fields 3 and 22 of stat), elsewhere the start time that the system noted once.
/// </summary>
internal static class ProcessIdentity
{
    private const string BootFile = "/proc/sys/kernel/random/boot_id";

    /// <summary>The start of this process: "boot/ticks" on Linux, ticks of the clock elsewhere.</summary>
    public static string Start { get; } = StartOf(Environment.ProcessId) ?? "";

    /// <summary>The set of processes whose ids this one sees, which differs between containers of one machine; empty where there is only one.</summary>
    public static string Namespace { get; } = OperatingSystem.IsLinux() ? File.ResolveLinkTarget("/proc/self/ns/pid", false)?.Name ?? "" : "";

    /// <summary>Whether a start is of a time before the machine was started again.</summary>
    public static bool IsOfEarlierBoot(string start) => Boot(start) is { } boot && Boot(Start) is { } current && boot != current;

    /// <summary>Whether the process of an id that started then may still be running; where that cannot be seen, it may.</summary>
    /// <param name="processId">Its id.</param>
    /// <param name="start">Its <see cref="Start"/>; empty if unknown: any process of the id counts.</param>
    public static bool MayBeRunning(int processId, string start)
    {
        try
        {
            using var process = Process.GetProcessById(processId);
            return !process.HasExited && (start.Length == 0 || StartOf(processId) is not { } now || now == start);
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            return false;
        }
        catch (Win32Exception)
        {
            // It exists but belongs to somebody else.
            return true;
        }
    }

    /// <summary>The start of a process; "" if it has ended and only waits for its parent to notice; null if that cannot be seen.</summary>
    private static string? StartOf(int processId)
    {
        try
        {
            if (!OperatingSystem.IsLinux())
            {
                using var process = Process.GetProcessById(processId);
                return process.StartTime.ToUniversalTime().Ticks.ToString(CultureInfo.InvariantCulture);
            }

            // The second field, the name, may hold anything, blanks and brackets too.
            string text = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{processId}/stat"));
            string[] fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
            return fields[0] is "Z" or "X" ? "" : $"{File.ReadAllText(BootFile).Trim()}/{fields[19]}";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or Win32Exception or ArgumentException or InvalidOperationException or IndexOutOfRangeException)
        {
            return null;
        }
    }

    private static string? Boot(string start) => start.IndexOf('/') is > 0 and int end ? start[..end] : null;
}
