using System.Diagnostics;
using System.Globalization;
using SparseFrontier.Experiments.Slurm;

namespace SparseFrontier.Experiments;

/// <summary>
/// Ids of the newest runs and jobs of folders of results, with what they are, to choose from at the prompt. Who waits for a key does not wait for a folder of ten thousand runs on a slow share:
/// few are read, and reading ends after a while. What cannot be read is left out, and Slurm is not asked.
/// </summary>
public static class KnownIds
{
    // A menu of more helps nobody.
    private const int Most = 100;

    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(500);

    /// <summary>Runs, the newest first.</summary>
    /// <param name="folders">Folders of results or of single runs; none: the default one.</param>
    /// <param name="beginning">What the ids begin with.</param>
    /// <returns>Each id with the run in words.</returns>
    public static IReadOnlyList<(string Id, string Description)> Runs(IReadOnlyList<string> folders, string beginning)
    {
        ArgumentNullException.ThrowIfNull(beginning);
        return Newest(
            folders,
            folder => RunDirectory.IsRun(folder) ? [folder] : Directory.EnumerateDirectories(folder).Where(d => MayBe(d, beginning)),
            directory => new RunDirectory(directory) is var run && run.ReadSpecification() is { } stored ? (stored.RunId, Describe(stored.Specification, run.ReadSummary())) : null,
            beginning);
    }

    /// <summary>Jobs, the newest first.</summary>
    /// <param name="folders">Folders of results; none: the default one.</param>
    /// <param name="beginning">What the ids begin with.</param>
    /// <returns>Each id with the job in words.</returns>
    public static IReadOnlyList<(string Id, string Description)> Jobs(IReadOnlyList<string> folders, string beginning)
    {
        ArgumentNullException.ThrowIfNull(beginning);
        return Newest(
            folders,
            folder => Submission.All(folder).Select(s => s.Path),
            directory => new Submission(directory).Read() is { JobId.Length: > 0 } stored
                ? (stored.JobId, string.Create(CultureInfo.InvariantCulture, $"{stored.Name}, submitted {stored.SubmittedAt.ToLocalTime():yyyy-MM-dd HH:mm}: {Counted.Of(stored.RunCount, "run")} in {Counted.Of(stored.TaskCount, "element")}"))
                : null,
            beginning);
    }

    private static List<(string Id, string Description)> Newest(
        IReadOnlyList<string> folders, Func<string, IEnumerable<string>> list, Func<string, (string Id, string Description)?> read, string beginning)
    {
        var clock = Stopwatch.StartNew();
        var found = new List<(string Id, string Description)>();
        try
        {
            // Names of both begin with the time.
            foreach (string directory in folders.DefaultIfEmpty(ResultStore.DefaultPath).Where(Directory.Exists).SelectMany(list).OrderByDescending(d => Path.GetFileName(d), StringComparer.Ordinal))
            {
                if (found.Count == Most || clock.Elapsed > s_patience)
                {
                    break;
                }

                if (TryRead(directory, read) is { } item && item.Id.StartsWith(beginning, StringComparison.OrdinalIgnoreCase))
                {
                    found.Add(item);
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // What was found so far still helps.
        }

        return found;
    }

    private static (string Id, string Description)? TryRead(string directory, Func<string, (string Id, string Description)?> read)
    {
        try
        {
            return read(directory);
        }
        catch (SparseFrontierException e) when (e.ErrorId is ErrorIds.ResultRowInvalid or ErrorIds.ResultUnreadable)
        {
            return null;
        }
    }

    // The name of a run's directory ends with the first half of its id, where nobody has renamed it.
    private static bool MayBe(string directory, string beginning)
    {
        string end = directory[(directory.LastIndexOf('-') + 1)..];
        return end.Length != 8 || end.StartsWith(beginning[..Math.Min(8, beginning.Length)], StringComparison.OrdinalIgnoreCase);
    }

    private static string Describe(RunSpecification run, SparseAttentionResult? summary)
    {
        string[] sparsities = [.. new[] { run.Sparsity, run.DecodeSparsity }.OfType<double>().Select(s => s.ToString("R", CultureInfo.InvariantCulture))];
        string asked = sparsities.Length == 0 ? "" : $" at sparsity {string.Join(" / ", sparsities)}";
        string outcome = summary is null ? "not finished" : summary.Score is { } score ? FormattableString.Invariant($"score {score:F3} of {Counted.Of(summary.SampleCount, "sample")}") : $"{summary.Status}";
        return FormattableString.Invariant(
            $"{MethodNames.Of(run.Method, run.DecodeMethod)}{asked}, {run.Task} at {run.SequenceLength} tokens on {ModelCatalog.NameOf(run.Model)}, seed {run.Seed}: {outcome}");
    }
}
