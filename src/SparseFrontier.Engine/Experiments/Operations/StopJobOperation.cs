using SparseFrontier.Experiments.Slurm;

namespace SparseFrontier.Experiments.Operations;

/// <summary>Cancels submitted jobs. What was finished stays; the merge job still runs and completes what it can.</summary>
public sealed class StopJobOperation
{
    /// <summary>Ids; wildcards match.</summary>
    public required IReadOnlyList<string> Id { get; init; }

    /// <summary>Folder of results; empty: the default one.</summary>
    public string ResultPath { get; init; } = "";

    /// <summary>Slurm.</summary>
    internal SlurmCommands Slurm { get; init; } = new();

    /// <summary>Cancels the jobs and emits them as they stand then.</summary>
    /// <exception cref="SparseFrontierException">SchedulerNotInstalled; SubmissionRejected with what scancel says. A job that is not there is the error JobNotFound on the sink.</exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        foreach ((Submission submission, StoredSubmission stored) in GetJobOperation.Find(Id, ResultPath, sink))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (!sink.ShouldProcess(FormattableString.Invariant($"job {stored.JobId} ({stored.Name}, {Counted.Of(stored.RunCount, "run")} in {Counted.Of(stored.TaskCount, "element")})"), "Cancel"))
            {
                continue;
            }

            Slurm.Cancel(stored.JobId);
            stored.CancelledAt ??= DateTimeOffset.UtcNow;
            submission.Write(stored);
            sink.Object(JobReader.Read(submission, stored, Slurm.Queue([stored.JobId, .. stored.MergeJobId.Length > 0 ? [stored.MergeJobId] : Array.Empty<string>()])));
        }
    }
}
