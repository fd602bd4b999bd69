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

        // By the files that are there, not by the number that submission.json says.
        int[] codes = [.. submission.ExitCodes(stored.TaskCount).Where(e => !running.Contains(e.Task) && !pending.Contains(e.Task)).Select(e => e.Code)];
        int completed = codes.Count(c => c == 0);
        int silent = Math.Max(0, stored.TaskCount - codes.Length - running.Union(pending).Count(t => t >= 0 && t < stored.TaskCount));
        int unknown = queue is null ? silent : 0;
        int failed = codes.Length - completed + (queue is null ? 0 : silent);

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
