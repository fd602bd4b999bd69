namespace SparseFrontier;

/// <summary>State of a submitted job.</summary>
public enum JobState
{
    /// <summary>Slurm cannot be asked, and not all elements have ended.</summary>
    Unknown,

    /// <summary>Elements wait, none runs.</summary>
    Pending,

    /// <summary>At least one element runs.</summary>
    Running,

    /// <summary>All elements have ended, the merge has not.</summary>
    Merging,

    /// <summary>All elements ended well.</summary>
    Completed,

    /// <summary>At least one element ended with an error or vanished.</summary>
    Failed,

    /// <summary>Stopped by Stop-SparseAttentionJob.</summary>
    Cancelled,
}

/// <summary>A submission to Slurm: an array of elements, each of which runs some of the runs, and a job that merges what they did.</summary>
public sealed class SparseAttentionJob
{
    /// <summary>Slurm's id of the array.</summary>
    public string JobId { get; init; } = "";

    /// <summary>Name of the job.</summary>
    public string Name { get; init; } = "";

    /// <summary>State.</summary>
    public JobState State { get; init; }

    /// <summary>Elements of the array.</summary>
    public int TaskCount { get; init; }

    /// <summary>Elements that wait.</summary>
    public int PendingCount { get; init; }

    /// <summary>Elements that run.</summary>
    public int RunningCount { get; init; }

    /// <summary>Elements that ended well.</summary>
    public int CompletedCount { get; init; }

    /// <summary>Elements that ended with an error, were cancelled, or vanished with their node.</summary>
    public int FailedCount { get; init; }

    /// <summary>Runs of all elements.</summary>
    public int RunCount { get; init; }

    /// <summary>Why elements wait, as Slurm says it.</summary>
    public string Reason { get; init; } = "";

    /// <summary>Partitions asked for; empty: Slurm's default.</summary>
    public string Partition { get; init; } = "";

    /// <summary>Slurm's id of the job that merges; empty if there is none.</summary>
    public string MergeJobId { get; init; } = "";

    /// <summary>When it was submitted.</summary>
    public DateTimeOffset? SubmittedAt { get; init; }

    /// <summary>Folder of results.</summary>
    public string ResultPath { get; init; } = "";

    /// <summary>Folder of the submission: scripts, runs of each element, logs.</summary>
    public string Path { get; init; } = "";

    /// <inheritdoc/>
    public override string ToString() => FormattableString.Invariant($"{JobId} {Name}: {State}, {CompletedCount} of {Counted.Of(TaskCount, "element")} done");
}
