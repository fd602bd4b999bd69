using System.Globalization;

namespace SparseFrontier.Experiments.Slurm;

/// <summary>One element of a job, or a job without elements, as squeue lists it.</summary>
/// <param name="JobId">Id of the job; of an element, the array's.</param>
/// <param name="Task">Index of the element; -1 of a job without.</param>
/// <param name="State">Slurm's name of the state: PENDING, RUNNING, ...</param>
/// <param name="Reason">Why it waits.</param>
internal sealed record SlurmTask(string JobId, int Task, string State, string Reason);

/// <summary>How much a submission may hold; null where nothing limits it.</summary>
/// <param name="MaximumArraySize">Elements of an array at most.</param>
/// <param name="MaximumJobs">Elements and jobs of this user at most, queued ones counted.</param>
/// <param name="QueuedJobs">Elements and jobs that this user has in the queue.</param>
internal sealed record SlurmLimits(int? MaximumArraySize, int? MaximumJobs, int QueuedJobs)
{
    /// <summary>Elements that a submission with its merge job may have.</summary>
    public int MaximumTasks => Math.Min(MaximumArraySize ?? int.MaxValue, MaximumJobs is int jobs ? Math.Max(0, jobs - QueuedJobs - 1) : int.MaxValue);
}

/// <summary>Reads what Slurm's commands print, and quotes what its scripts hold.</summary>
internal static class SlurmText
{
    /// <summary>The columns that <see cref="Queue"/> reads. Text, because the JSON of squeue changes with Slurm's version and ignores --jobs in some.</summary>
    public const string QueueFormat = "%F|%K|%T|%r";

    /// <summary>The job id that <c>sbatch --parsable</c> prints: "123" or "123;cluster".</summary>
    /// <exception cref="SparseFrontierException">SubmissionRejected.</exception>
    public static string JobId(string output)
    {
        string id = output.Trim().Split('\n')[^1].Split(';')[0].Trim();
        return id.Length > 0 && id.All(char.IsAsciiDigit)
            ? id
            : throw new SparseFrontierException(ErrorIds.SubmissionRejected, $"sbatch printed no job id but '{output.Trim()}'.", output);
    }

    /// <summary>A value of <c>scontrol show config</c>; null where it is not there or is no number.</summary>
    public static int? Setting(string configuration, string name)
    {
        foreach (string line in configuration.Split('\n'))
        {
            string[] parts = line.Split('=', 2, StringSplitOptions.TrimEntries);
            if (parts.Length == 2 && parts[0] == name)
            {
                return int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int value) ? value : null;
            }
        }

        return null;
    }

    /// <summary>The smallest number among lines; empty lines stand for no limit.</summary>
    public static int? Smallest(string lines)
    {
        int[] numbers = [.. lines.Split(['\n', '|'], StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Where(l => l.All(char.IsAsciiDigit)).Select(l => int.Parse(l, CultureInfo.InvariantCulture))];
        return numbers.Length > 0 ? numbers.Min() : null;
    }

    /// <summary>The elements that squeue lists in <see cref="QueueFormat"/>; lines of another form are left out.</summary>
    public static IReadOnlyList<SlurmTask> Queue(string output)
    {
        var tasks = new List<SlurmTask>();
        foreach (string line in output.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            string[] parts = line.Split('|');
            if (parts.Length >= 4 && parts[0].Length > 0 && parts[0].All(char.IsAsciiDigit))
            {
                int task = int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int index) ? index : -1;
                tasks.Add(new SlurmTask(parts[0], task, parts[2], string.Join('|', parts[3..])));
            }
        }

        return tasks;
    }

    /// <summary>A duration as Slurm reads it: days-hours:minutes:seconds. (In Slurm 02:00 is two minutes.)</summary>
    public static string Duration(TimeSpan time) => string.Create(CultureInfo.InvariantCulture, $"{(int)time.TotalDays}-{time:hh\\:mm\\:ss}");

    /// <summary>A text as one word of a shell, whatever it holds.</summary>
    public static string Quote(string text) => $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
