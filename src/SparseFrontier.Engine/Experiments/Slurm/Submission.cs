using System.Globalization;
using System.Text;
using System.Text.Json;

namespace SparseFrontier.Experiments.Slurm;

/// <summary>What <c>submission.json</c> holds.</summary>
internal sealed class StoredSubmission
{
    public int SchemaVersion { get; init; } = 1;

    public string JobId { get; init; } = "";

    public string MergeJobId { get; init; } = "";

    public string Name { get; init; } = "";

    public string Partition { get; init; } = "";

    public int TaskCount { get; init; }

    public int RunCount { get; init; }

    public DateTimeOffset SubmittedAt { get; init; }

    public DateTimeOffset? CancelledAt { get; set; }
}

/// <summary>
/// The folder of a submission, jobs/TIME-NAME in the folder of results: the scripts, the runs of each element, its log, and how it ended. Slurm
/// forgets a job minutes after its end where it keeps no accounts; this does not.
/// </summary>
internal sealed class Submission(string path)
{
    public string Path => path;

    /// <summary>What was submitted; null if the folder is no submission's or nothing was accepted.</summary>
    public StoredSubmission? Read() => StoreIO.ReadJson<StoredSubmission>(System.IO.Path.Combine(path, "submission.json"));

    public void Write(StoredSubmission submission) => StoreIO.ReplaceJson(System.IO.Path.Combine(path, "submission.json"), submission);

    /// <summary>A folder that no submission has yet; it is not made.</summary>
    public static Submission Next(string resultPath, string name, DateTimeOffset at)
    {
        string stem = System.IO.Path.Combine(resultPath, "jobs", $"{at.UtcDateTime.ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture)}-{name}");
        string path = stem;
        for (int number = 2; Directory.Exists(path); number++)
        {
            path = string.Create(CultureInfo.InvariantCulture, $"{stem}-{number}");
        }

        return new Submission(path);
    }

    /// <summary>The submissions of a folder of results, the oldest first.</summary>
    public static IEnumerable<Submission> All(string resultPath)
    {
        string jobs = System.IO.Path.Combine(resultPath, "jobs");
        return Directory.Exists(jobs) ? [.. Directory.EnumerateDirectories(jobs).Order(StringComparer.Ordinal).Select(d => new Submission(d))] : [];
    }

    /// <summary>Writes the scripts and the runs of each element.</summary>
    /// <exception cref="SparseFrontierException">ResultWriteFailed.</exception>
    public void Create(SlurmScript script, IReadOnlyList<IReadOnlyList<RunSpecification>> packs)
    {
        foreach (string folder in (string[])["packs", "logs", "status"])
        {
            StoreIO.Write(path, () => Directory.CreateDirectory(System.IO.Path.Combine(path, folder)));
        }

        for (int i = 0; i < packs.Count; i++)
        {
            string lines = string.Concat(packs[i].Select(s => JsonSerializer.Serialize(s, StoreJson.Line) + "\n"));
            StoreIO.Replace(System.IO.Path.Combine(path, "packs", string.Create(CultureInfo.InvariantCulture, $"{i}.jsonl")), Encoding.UTF8.GetBytes(lines));
        }

        StoreIO.Replace(System.IO.Path.Combine(path, "run.sbatch"), Encoding.UTF8.GetBytes(script.Array()));
        StoreIO.Replace(System.IO.Path.Combine(path, "merge.sbatch"), Encoding.UTF8.GetBytes(script.Merge()));
    }

    /// <summary>Takes away the folder of a submission that was not accepted.</summary>
    public void Delete() => StoreIO.Write(path, () => Directory.Delete(path, recursive: true));

    /// <summary>How the elements ended that have.</summary>
    /// <param name="taskCount">Elements; files of others are left out.</param>
    public IEnumerable<(int Task, int Code)> ExitCodes(int taskCount)
    {
        string folder = System.IO.Path.Combine(path, "status");
        return !Directory.Exists(folder) ? [] : Directory.EnumerateFiles(folder).Select(f => System.IO.Path.GetFileName(f))
            .Select(name => (Name: name, Task: int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int task) && task.ToString(CultureInfo.InvariantCulture) == name ? task : -1))
            .Where(f => f.Task >= 0 && f.Task < taskCount)
            .Select(f => (f.Task, Code: ExitCode(f.Name)))
            .Where(f => f.Code is not null)
            .Select(f => (f.Task, f.Code!.Value));
    }

    /// <summary>How an element ended, or "merge"; null while it has not.</summary>
    public int? ExitCode(string task)
    {
        byte[]? text = StoreIO.ReadAll(System.IO.Path.Combine(path, "status", task));
        return text is not null && int.TryParse(Encoding.ASCII.GetString(text), NumberStyles.None | NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture, out int code) ? code : null;
    }
}
