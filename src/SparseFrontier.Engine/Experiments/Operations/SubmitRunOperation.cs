using SparseFrontier.Experiments.Slurm;

namespace SparseFrontier.Experiments.Operations;

/// <summary>
/// Submits specifications to Slurm as one job array, whose elements each run whole cells with <c>sparsefrontier run --input</c>, and a job
/// after it that merges. Emits a <see cref="SparseAttentionJob"/>.
/// </summary>
public sealed class SubmitRunOperation
{
    /// <summary>The runs.</summary>
    public required IReadOnlyList<RunSpecification> Specifications { get; init; }

    /// <summary>Folder of results, on a file system that the nodes share; empty: <c>SPARSEFRONTIER_RESULTS</c>, else "results" in the current directory.</summary>
    public string ResultPath { get; init; } = "";

    /// <summary>The command line's program, or its published folder, on a file system that the nodes share; empty: <c>SPARSEFRONTIER_WORKER</c>, else this process where it is one.</summary>
    public string WorkerPath { get; init; } = "";

    /// <summary>Name of the job.</summary>
    public string Name { get; init; } = "sparsefrontier";

    /// <summary>Partitions, commas between; empty: Slurm's default.</summary>
    public string Partition { get; init; } = "";

    /// <summary>Account; empty: Slurm's default.</summary>
    public string Account { get; init; } = "";

    /// <summary>Processors of an element; 0: Slurm's default.</summary>
    public int CpuCount { get; init; }

    /// <summary>GPUs of an element.</summary>
    public int GpuCount { get; init; }

    /// <summary>Time of an element, after which it is requeued and goes on; null: Slurm's default.</summary>
    public TimeSpan? TimeLimit { get; init; }

    /// <summary>Elements that run at the same time at most; 0: no limit.</summary>
    public int MaximumConcurrency { get; init; }

    /// <summary>Cells of one model are joined until an element has so many runs.</summary>
    public int RunsPerTask { get; init; } = 1;

    /// <summary>Further long options of sbatch.</summary>
    public IReadOnlyList<string> SchedulerOptions { get; init; } = [];

    /// <summary>How models are found.</summary>
    internal EngineFactory Engines { get; init; } = new TransformerEngineFactory();

    /// <summary>Slurm.</summary>
    internal SlurmCommands Slurm { get; init; } = new();

    /// <summary>The time of the submission.</summary>
    internal TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>Checks every specification, then submits them.</summary>
    /// <exception cref="SparseFrontierException">
    /// Whatever is wrong with a specification or an option; FileNotFound: there is no worker; SchedulerNotInstalled; SubmissionRejected;
    /// ResultWriteFailed.
    /// </exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        if (RunsPerTask < 1)
        {
            throw new SparseFrontierException(ErrorIds.ParameterInvalid, FormattableString.Invariant($"RunsPerTask is at least 1, not {RunsPerTask}."), RunsPerTask);
        }

        var engines = new PlanningFactory(Engines);
        List<PlannedRun> plans = [.. Specifications.Select(s => PlannedRun.Create(s, engines))];
        if (plans.FirstOrDefault(p => p.HasOwnCode) is { } own)
        {
            throw new SparseFrontierException(
                ErrorIds.PowerShellRequired, $"{own}: methods and tasks of your own live in this process only and cannot be submitted. Run them with Invoke-SparseAttentionRun.", own.ToString());
        }

        if (plans.Count == 0)
        {
            return;
        }

        cancellationToken.ThrowIfCancellationRequested();
        string resultPath = new ResultStore(ResultPath).Path;
        string worker = FindWorker();
        SlurmLimits limits = ReadLimits(out SparseFrontierException? missing);
        if (limits.MaximumTasks < 1)
        {
            throw new SparseFrontierException(
                ErrorIds.SubmissionRejected,
                FormattableString.Invariant($"Slurm lets you have {Counted.Of(limits.MaximumJobs ?? 0, "job")}, and {Counted.Of(limits.QueuedJobs, "is", "are")} in the queue. Wait until some have ended."),
                limits.MaximumJobs);
        }

        IReadOnlyList<IReadOnlyList<PlannedRun>> packs = SlurmPacks.Create(plans, RunsPerTask, limits.MaximumTasks);
        DateTimeOffset now = Clock.GetUtcNow();
        var script = new SlurmScript
        {
            Name = Name,
            Worker = worker,
            ResultPath = resultPath,
            TaskCount = packs.Count,
            RunCount = plans.Count,
            MaximumConcurrency = MaximumConcurrency,
            CpuCount = CpuCount,
            GpuCount = GpuCount,
            Partition = Partition,
            Account = Account,
            TimeLimit = TimeLimit,
            Options = SchedulerOptions,
        };
        script.Check();
        Submission submission = Submission.Next(resultPath, Name, now);
        script.Folder = submission.Path;
        string target = FormattableString.Invariant($"{Counted.Of(plans.Count, "run")} in {Counted.Of(packs.Count, "element")}");
        string cost = sink.ShowsQuestions ? $" {RunPlanner.DescribeTotal(RunPlanner.Plan(Specifications, plans, engines, RunTimes.Of([], "")))}," : "";
        if (!sink.ShouldProcess(target, $"Submit to Slurm, with results in '{resultPath}',{cost} the script\n{script.Array()}"))
        {
            return;
        }

        if (missing is not null)
        {
            throw missing;
        }

        new ResultStore(resultPath).Prepare();
        submission.Create(script, [.. packs.Select(p => (IReadOnlyList<RunSpecification>)[.. p.Select(r => r.Portable())])]);
        string id;
        try
        {
            id = Slurm.Submit(submission.Path, "run.sbatch");
        }
        catch (SparseFrontierException)
        {
            submission.Delete();
            throw;
        }

        var stored = new StoredSubmission
        {
            JobId = id,
            MergeJobId = SubmitMerge(submission, id, resultPath, sink),
            Name = Name,
            Partition = Partition,
            TaskCount = packs.Count,
            RunCount = plans.Count,
            SubmittedAt = now,
        };
        submission.Write(stored);
        sink.Object(JobReader.Read(submission, stored, Enumerable.Range(0, packs.Count).Select(i => new SlurmTask(id, i, "PENDING", "")).ToList()));
    }

    // A script can be looked at where Slurm is not, or does not answer.
    private SlurmLimits ReadLimits(out SparseFrontierException? missing)
    {
        missing = null;
        try
        {
            return Slurm.ReadLimits();
        }
        catch (SparseFrontierException e)
        {
            missing = e;
            return new SlurmLimits(null, null, 0);
        }
    }

    private string SubmitMerge(Submission submission, string id, string resultPath, IPipelineSink sink)
    {
        try
        {
            return Slurm.Submit(submission.Path, "merge.sbatch", $"--dependency=afterany:{id}");
        }
        catch (SparseFrontierException e)
        {
            sink.Warning($"The elements are submitted, but not the job that merges them: {e.Message} When they have ended: sparsefrontier merge --results {SlurmText.Quote(resultPath)}");
            return "";
        }
    }

    private string FindWorker()
    {
        string path = WorkerPath.Length > 0 ? WorkerPath : Environment.GetEnvironmentVariable("SPARSEFRONTIER_WORKER") ?? "";
        string own = Environment.ProcessPath ?? "";
        if (path.Length == 0 && Path.GetFileNameWithoutExtension(own) == "sparsefrontier")
        {
            path = own;
        }

        if (path.Length == 0)
        {
            throw new SparseFrontierException(
                ErrorIds.ParameterInvalid,
                "The nodes need the command line's program: publish it to a shared folder (dotnet publish src/SparseFrontier.Cli -c Release -o FOLDER) and name it with -WorkerPath or SPARSEFRONTIER_WORKER.",
                path);
        }

        string file = Path.GetFullPath(Directory.Exists(path) ? Path.Combine(path, "sparsefrontier") : path);
        return File.Exists(file) ? file : throw new SparseFrontierException(ErrorIds.FileNotFound, $"There is no worker '{file}'.", file);
    }
}
