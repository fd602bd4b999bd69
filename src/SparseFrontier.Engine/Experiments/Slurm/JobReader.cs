using System.Globalization;

namespace SparseFrontier.Experiments.Slurm;

/// <summary>Makes a job's row from what its folder holds and what the queue says.</summary>
internal static class JobReader
{
    /// <summary>The row.</summary>
    /// <param name="submission">Folder of the submission.</param>
    /// <param name="stored">What was submitted.</param>
    /// <param name="queue">What is left of the array and the merge job in the queue; null where Slurm cannot be asked.</param>
    public static SparseAttentionJob Read(Submission submission, StoredSubmission stored, IReadOnlyList<SlurmTask>? queue)
    {
        SlurmTask[] own = [.. (queue ?? []).Where(t => t.JobId == stored.JobId)];
        var running = own.Where(t => t.State is not "PENDING").Select(t => t.Task).ToHashSet();
        var pending = own.Where(t => t.State is "PENDING").Select(t => t.Task).ToHashSet();
        int completed = 0;
        int failed = 0;
        int unknown = 0;
        for (int task = 0; task < stored.TaskCount; task++)
        {
            if (running.Contains(task) || pending.Contains(task))
            {
                continue;
            }

            int? code = submission.ExitCode(task.ToString(CultureInfo.InvariantCulture));
            completed += code == 0 ? 1 : 0;
            unknown += code is null && queue is null ? 1 : 0;
            failed += code is null ? (queue is null ? 0 : 1) : code == 0 ? 0 : 1;
        }

        bool merging = stored.MergeJobId.Length > 0 && (queue ?? []).Any(t => t.JobId == stored.MergeJobId) && submission.ExitCode("merge") is null;
        return new SparseAttentionJob
        {
            JobId = stored.JobId,
            Name = stored.Name,
            State =
                running.Count > 0 ? JobState.Running :
                pending.Count > 0 ? JobState.Pending :
                unknown > 0 ? JobState.Unknown :
                stored.CancelledAt is not null && failed > 0 ? JobState.Cancelled :
                merging ? JobState.Merging :
                failed > 0 ? JobState.Failed : JobState.Completed,
            TaskCount = stored.TaskCount,
            PendingCount = pending.Count,
            RunningCount = running.Count,
            CompletedCount = completed,
            FailedCount = failed,
            RunCount = stored.RunCount,
            Reason = own.Select(t => t.Reason).FirstOrDefault(r => r is not ("None" or "")) ?? "",
            Partition = stored.Partition,
            MergeJobId = stored.MergeJobId,
            SubmittedAt = stored.SubmittedAt,
            ResultPath = System.IO.Path.GetDirectoryName(System.IO.Path.GetDirectoryName(submission.Path)) ?? "",
            Path = submission.Path,
        };
    }
}
