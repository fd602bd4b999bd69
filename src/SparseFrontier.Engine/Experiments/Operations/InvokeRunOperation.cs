using System.Text.Json.Nodes;
using SparseFrontier.Experiments.Workers;

namespace SparseFrontier.Experiments.Operations;

/// <summary>
/// Runs specifications and emits one <see cref="SparseAttentionResult"/> as each run completes. A run that the store holds already is
/// returned, an interrupted one goes on where it stopped.
/// </summary>
public sealed class InvokeRunOperation
{
    // As long as a timer can wait.
    private const double LongestTimeout = 4_000_000;

    /// <summary>The runs.</summary>
    public required IReadOnlyList<RunSpecification> Specifications { get; init; }

    /// <summary>Folder of results; empty: <c>SPARSEFRONTIER_RESULTS</c>, else "results" in the current directory.</summary>
    public string ResultPath { get; init; } = "";

    /// <summary>Whether to run again what is finished.</summary>
    public bool Force { get; init; }

    /// <summary>Sequences generated side by side at most; changes speed and memory, never results.</summary>
    public int BatchSize { get; init; } = 8;

    /// <summary>Seconds after which the runs stop as if they were told to; null: no limit.</summary>
    public double? TimeoutSeconds { get; init; }

    /// <summary>How models are opened.</summary>
    internal EngineFactory Engines { get; init; } = new TransformerEngineFactory();

    /// <summary>How worker processes are started, where samples are spread over several devices; null: as this process.</summary>
    internal WorkerProgram? Worker { get; init; }

    /// <summary>The devices that a run's samples are spread over.</summary>
    internal Func<string, IReadOnlyList<string>> DevicesOf { get; init; } = Devices.RequireList;

    /// <summary>Checks every specification, then runs them.</summary>
    /// <exception cref="SparseFrontierException">Whatever is wrong with a specification, before any run starts; of a single model, what is wrong with it; ResultWriteFailed. What goes wrong with a run (RunBusy, ...), or one of several models, and that the time was over (RunTimedOut), is an error on the sink.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; what is finished is kept.</exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        if (TimeoutSeconds is not { } seconds)
        {
            RunAll(sink, cancellationToken);
            return;
        }

        if (seconds is not (> 0 and <= LongestTimeout))
        {
            throw new SparseFrontierException(
                ErrorIds.ParameterInvalid, FormattableString.Invariant($"A time limit is above 0 and at most {LongestTimeout} seconds, not {seconds}."), seconds);
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(seconds));
        try
        {
            RunAll(sink, limit.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            sink.Error(new SparseFrontierException(
                ErrorIds.RunTimedOut, FormattableString.Invariant($"The time that the runs were given, {seconds} s, is over. What is finished is kept; run the same again and it goes on from there."), seconds));
        }
    }

    private void RunAll(IPipelineSink sink, CancellationToken cancellationToken)
    {
        if (BatchSize < 1)
        {
            throw new SparseFrontierException(ErrorIds.ParameterInvalid, $"A batch holds at least 1 sequence, not {BatchSize}.", BatchSize);
        }

        var store = new ResultStore(ResultPath);
        var engines = new PlanningFactory(Engines);
        List<PlannedRun> plans = [.. Specifications.Select(s => PlannedRun.Create(s, engines))];
        IReadOnlyList<SparseAttentionPlan>? costs = sink.ShowsQuestions ? RunPlanner.Plan(Specifications, plans, engines, RunTimes.Read(store.Path), stepAlone: BatchSize == 1) : null;
        plans = [.. plans.Where((p, i) => sink.ShouldProcess(p.ToString(), $"Run, with results in '{store.Path}'{(costs is null ? "" : $": {RunPlanner.Describe(costs[i])}")}"))];
        if (plans.Count == 0)
        {
            return;
        }

        SparseFrontierException? refused = WhyNotWritten(store);
        bool isLeft = false;
        if (refused is not null)
        {
            // Nothing can be computed, but what is finished can be read. Only a model's content tells which runs are its own: none is loaded in vain.
            List<PlannedRun> there = Force ? [] : FinishedAsFarAsKnown(plans, store);
            isLeft = there.Count < plans.Count;
            plans = there;
        }

        var progress = new SweepProgress(sink, plans.Sum(p => p.Specification.SampleCount));
        try
        {
            var lost = new HashSet<string>();
            var groups = plans.GroupBy(p => (p.ModelDirectory, p.Specification.Device)).ToList();
            foreach (var group in groups)
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (lost.Contains(group.Key.Device))
                {
                    continue;
                }

                SampleExecutor executor;
                try
                {
                    executor = Open(group.Key.ModelDirectory, [.. group], sink, cancellationToken);
                }
                catch (SparseFrontierException e) when (e.ErrorId == ErrorIds.DeviceFailed)
                {
                    Lose(group.Key.Device, e);
                    continue;
                }
                catch (SparseFrontierException e) when (groups.Count > 1)
                {
                    // The other models can still be run.
                    sink.Error(e);
                    continue;
                }

                using SampleExecutor opened = executor;
                try
                {
                    isLeft |= RunModel(executor, [.. group], store, refused is not null, progress, sink, cancellationToken);
                }
                catch (SparseFrontierException e) when (e.ErrorId == ErrorIds.DeviceFailed)
                {
                    Lose(group.Key.Device, e);
                }
            }

            // Nothing runs on the device any more in this process.
            void Lose(string device, SparseFrontierException error)
            {
                sink.Error(error);
                sink.Warning($"What else was to run on {device} is not begun, because the device failed. Run the same again in a new process.");
                lost.Add(device);
            }
        }
        finally
        {
            progress.End();
        }

        if (isLeft && refused is not null)
        {
            throw refused;
        }
    }

    private static SparseFrontierException? WhyNotWritten(ResultStore store)
    {
        try
        {
            store.Prepare();
            return null;
        }
        catch (SparseFrontierException e) when (e.ErrorId == ErrorIds.ResultWriteFailed)
        {
            return e;
        }
    }

    private static List<PlannedRun> FinishedAsFarAsKnown(List<PlannedRun> plans, ResultStore store)
    {
        HashSet<(string, string, string, int, long)> finished = [.. store.Finished().Select(Question)];
        return [.. plans.Where(p => finished.Contains(Question(p.Specification)))];

        static (string, string, string, int, long) Question(RunSpecification run) => (run.Method, run.DecodeMethod, run.Task, run.SequenceLength, run.Seed);
    }

    private SampleExecutor Open(string modelDirectory, List<PlannedRun> plans, IPipelineSink sink, CancellationToken cancellationToken)
    {
        int longest = plans.Max(p => p.Specification.SequenceLength + p.Specification.MaximumOutputTokens);
        IReadOnlyList<string> devices = Devices.Join(DevicesOf(plans[0].Specification.Device), Engines.ReadConfiguration(modelDirectory), longest);
        if (devices.Any(d => DeviceList.Members(d).Length > 1))
        {
            sink.Verbose($"The layers of '{ModelCatalog.NameOf(modelDirectory)}' are spread over {string.Join(" and ", devices)}: with a prompt of {longest} tokens it does not fit one GPU, or they were joined.");
        }

        if (devices.Count == 1)
        {
            return new LocalExecutor(Engines.Open(modelDirectory, devices[0]), devices[0], BatchSize, cancellationToken);
        }

        if (plans.Find(p => p.HasOwnCode) is { } own)
        {
            throw new SparseFrontierException(
                ErrorIds.PowerShellRequired,
                $"{own}: methods and tasks of your own live in this process alone, and samples are spread over {string.Join(" and ", devices)} by other processes. Name one device.",
                own.ToString());
        }

        sink.Verbose($"Samples are spread over {string.Join(" and ", devices)}, each with a worker process.");
        return new WorkerExecutor(Engines, modelDirectory, devices, BatchSize, Worker ?? WorkerProgram.Find(), sink.Warning, cancellationToken);
    }

    // Whether runs are left that nothing can be written of.
    private bool RunModel(SampleExecutor executor, List<PlannedRun> plans, ResultStore store, bool isReadOnly, SweepProgress progress, IPipelineSink sink, CancellationToken cancellationToken)
    {
        bool isLeft = false;
        var dataHashes = new Dictionary<string, string?>();
        foreach (var cell in plans.GroupBy(p => RunIdentity.Cell(p, executor.Identity, HashData(p)).ToJsonString()))
        {
            string? dataHash = HashData(cell.First());

            // The same run named twice is run once, with the larger number of samples.
            IEnumerable<ActiveRun> runs = cell.Select(plan => Create(plan, executor.Identity, dataHash))
                .GroupBy(r => r.RunId)
                .Select(same => same.MaxBy(r => r.SampleCount)!);
            var runner = new CellRunner(store, executor, dataHash, progress, sink, cancellationToken);
            if (isReadOnly)
            {
                isLeft |= runner.EmitFinished([.. runs]).Count > 0;
            }
            else
            {
                runner.Run([.. runs], Force);
            }
        }

        return isLeft;

        string? HashData(PlannedRun plan)
        {
            string path = plan.TaskOptions.DataPath ?? "";
            if (!dataHashes.TryGetValue(path, out string? hash))
            {
                dataHashes[path] = hash = RunIdentity.HashData(plan.TaskOptions.DataPath);
            }

            return hash;
        }
    }

    private static ActiveRun Create(PlannedRun plan, ModelIdentity model, string? dataHash)
    {
        JsonObject identity = RunIdentity.Create(plan, model, dataHash);
        return new ActiveRun(plan, new StoredSpecification
        {
            RunId = RunIdentity.Hash(identity),
            ModuleVersion = ModuleInformation.Version,
            CreatedAt = DateTimeOffset.UtcNow,
            YarnFactor = plan.YarnFactor,
            CacheType = model.CacheType,
            Specification = plan.Specification,
            Identity = identity,
        });
    }
}
