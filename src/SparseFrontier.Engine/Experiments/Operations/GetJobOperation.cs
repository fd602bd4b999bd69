using SparseFrontier.Experiments.Slurm;

namespace SparseFrontier.Experiments.Operations;

/// <summary>Emits the jobs that were submitted with results in a folder, the oldest first.</summary>
public sealed class GetJobOperation
{
    /// <summary>Ids; wildcards match. Empty: all.</summary>
    public IReadOnlyList<string> Id { get; init; } = [];

    /// <summary>Folder of results; empty: the default one.</summary>
    public string ResultPath { get; init; } = "";

    /// <summary>Slurm.</summary>
    internal SlurmCommands Slurm { get; init; } = new();

    /// <summary>Emits the rows.</summary>
    /// <remarks>An id without wildcards that is not there is the error JobNotFound on the sink.</remarks>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        IReadOnlyList<(Submission Submission, StoredSubmission Stored)> jobs = Find(Id, ResultPath, sink);
        IReadOnlyList<SlurmTask>? queue = null;
        try
        {
            queue = Slurm.Queue([.. jobs.SelectMany(j => (string[])[j.Stored.JobId, j.Stored.MergeJobId]).Where(i => i.Length > 0)]);
        }
        catch (SparseFrontierException e)
        {
            sink.Warning($"{e.Message} What has ended is known from the folder of results; the rest is not.");
        }

        foreach ((Submission submission, StoredSubmission stored) in jobs)
        {
            cancellationToken.ThrowIfCancellationRequested();
            sink.Object(JobReader.Read(submission, stored, queue));
        }
    }

    /// <summary>The submissions with the given ids; those that are not there are errors.</summary>
    internal static IReadOnlyList<(Submission Submission, StoredSubmission Stored)> Find(IReadOnlyList<string> ids, string resultPath, IPipelineSink sink)
    {
        string folder = new ResultStore(resultPath).Path;
        var found = new List<(Submission, StoredSubmission)>();
        var missing = new HashSet<string>(ids.Where(id => !NameMatcher.IsPattern(id)), StringComparer.Ordinal);
        foreach (Submission submission in Submission.All(folder))
        {
            try
            {
                if (submission.Read() is { } stored && (ids.Count == 0 || ids.Any(id => NameMatcher.Matches(stored.JobId, id))))
                {
                    missing.Remove(stored.JobId);
                    found.Add((submission, stored));
                }
            }
            catch (SparseFrontierException e) when (e.ErrorId is ErrorIds.ResultRowInvalid or ErrorIds.ResultUnreadable)
            {
                sink.Warning($"{e.ErrorId}: {e.Message} The job is left out.");
            }
        }

        foreach (string id in missing)
        {
            sink.Error(new SparseFrontierException(ErrorIds.JobNotFound, $"No job '{id}' was submitted with results in '{folder}'. Name the folder with -ResultPath (--results).", id));
        }

        return found;
    }
}
