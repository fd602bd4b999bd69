using System.Globalization;

namespace SparseFrontier.Kernels.Measurement;

/// <summary>
/// How long the threads of a process were ready to run but had to wait for a core, as the Linux scheduler counts it. Time measured while they
/// waited is time of other programs.
/// </summary>
internal static class RunQueueDelay
{
    /// <summary>Whether the system tells it. Elsewhere no sample is ever taken for disturbed.</summary>
    public static bool IsKnown { get; } = File.Exists("/proc/self/schedstat");

    /// <summary>Seconds that the threads of a process have waited so far, all together; 0 where the system does not tell.</summary>
    /// <param name="processId">The process; 0 for this one.</param>
    public static double Seconds(int processId)
    {
        if (!IsKnown)
        {
            return 0;
        }

        string process = processId == 0 ? "self" : processId.ToString(CultureInfo.InvariantCulture);
        long nanoseconds = 0;
        foreach (string thread in Directory.EnumerateDirectories($"/proc/{process}/task"))
        {
            try
            {
                // Time on a core, time waiting for one, times scheduled.
                string[] fields = File.ReadAllText(thread + "/schedstat").Split(' ');
                nanoseconds += long.Parse(fields[1], CultureInfo.InvariantCulture);
            }
            catch (IOException)
            {
                // The thread has just ended.
            }
        }

        return nanoseconds * 1e-9;
    }
}
