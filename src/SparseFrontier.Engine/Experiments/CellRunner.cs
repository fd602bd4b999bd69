using System.Globalization;
using System.Text.Json.Nodes;
using SparseFrontier.Attention;
using SparseFrontier.Tasks;

namespace SparseFrontier.Experiments;

/// <summary>
/// Runs the runs of one cell, which have model, samples and protocol in common: samples outermost, each on the disk before the next begins,
/// a row as soon as a run is complete.
/// </summary>
internal sealed class CellRunner(
    ResultStore store,
    SampleEngine engine,
    string? dataHash,
    SweepProgress progress,
    IPipelineSink sink,
    int batchSize,
    CancellationToken cancellationToken)
{
    private readonly List<SparseAttentionResult> _completed = [];

    /// <summary>Runs a cell.</summary>
    /// <param name="runs">Its runs, no two with the same id.</param>
    /// <param name="force">Whether to start finished runs over.</param>
    /// <exception cref="SparseFrontierException">ResultWriteFailed; what else goes wrong with a run is an error on the sink.</exception>
    public void Run(IReadOnlyList<ActiveRun> runs, bool force)
    {
        var open = new List<ActiveRun>();
        try
        {
            // The dense run first: the others are compared with it.
            List<ActiveRun> due = [.. runs.OrderBy(r => !r.Plan.IsDense).Where(r => force || !EmitFinished(r))];
            if (due.Count > 0)
            {
                string cell = Name(due[0].Plan);
                progress.BeginCell(cell);
                TaskSource source = OpenSource(due);
                due.ForEach(r => Open(r, force, open));
                if (open.Count > 0)
                {
                    RunSamples(cell, source, runs, open);
                }
            }
        }
        catch (OperationCanceledException)
        {
            Note(open, RunStatus.Cancelled, null);
            throw;
        }
        catch (SparseFrontierException e) when (e.ErrorId != ErrorIds.ResultWriteFailed)
        {
            Note(open, RunStatus.Failed, $"{e.ErrorId}: {e.Message}");
            foreach (ActiveRun run in open)
            {
                sink.Object(RunSummary.WithPath(run.Row(RunStatus.Failed, e.Message), run.Directory!.Path));
            }

            sink.Error(e);
        }
        catch (Exception e) when (e is not SparseFrontierException)
        {
            Note(open, RunStatus.Failed, e.Message);
            throw;
        }
        finally
        {
            open.ForEach(r => r.Dispose());
        }
    }

    private static string Name(PlannedRun run) => string.Create(
        CultureInfo.InvariantCulture,
        $"{run.Specification.Task} at {run.Specification.SequenceLength} tokens on {ModelCatalog.NameOf(run.Specification.Model)}");

    /// <summary>Emits the row of a run that the store holds complete; false if something is left to do.</summary>
    private bool EmitFinished(ActiveRun run)
    {
        try
        {
            if (run.ReadFinished(store, sink.Warning) is not { } finished)
            {
                return false;
            }

            sink.Verbose($"{run.Plan}: finished already, in '{finished.Path}'.");
            progress.Skip(run.SampleCount);
            sink.Object(finished);
        }
        catch (SparseFrontierException e)
        {
            sink.Error(e);
        }

        return true;
    }

    private TaskSource OpenSource(List<ActiveRun> due)
    {
        PlannedRun any = due[0].Plan;
        TaskSource source = any.Task.Open(any.TaskOptions, engine.Encoder);
        int count = due.Max(r => r.SampleCount);
        return source.Count < count
            ? throw new SparseFrontierException(
                ErrorIds.ParameterInvalid,
                string.Create(CultureInfo.InvariantCulture, $"{any.Task.Name} has {source.Count} samples in its data, {count} were asked for. Ask for fewer."),
                count)
            : source;
    }

    private void Open(ActiveRun run, bool force, List<ActiveRun> open)
    {
        try
        {
            run.Open(store, force, sink.Warning);
            open.Add(run);
            int kept = run.Samples.Keys.Count(i => i < run.SampleCount);
            progress.Skip(kept);
            sink.Verbose(string.Create(CultureInfo.InvariantCulture, $"{run.Plan}: {kept} samples are there, {run.SampleCount - kept} to do, in '{run.Directory!.Path}'."));
        }
        catch (SparseFrontierException e) when (e.ErrorId != ErrorIds.ResultWriteFailed)
        {
            run.Dispose();
            sink.Error(e);
        }
        catch
        {
            run.Dispose();
            throw;
        }
    }

    private void RunSamples(string cell, TaskSource source, IReadOnlyList<ActiveRun> runs, List<ActiveRun> open)
    {
        PlannedRun any = open[0].Plan;
        Func<int, DenseReference> dense = FindDense(runs, any);
        int count = open.Max(r => r.SampleCount);
        Calibrate(cell, open);
        var runner = new SampleRunner(engine, batchSize, cancellationToken);
        for (int index = 0; index < count; index++)
        {
            CompleteFinished(open);
            List<ActiveRun> due = [.. open.Where(r => index < r.SampleCount && !r.Samples.ContainsKey(index))];
            if (due.Count == 0)
            {
                continue;
            }

            cancellationToken.ThrowIfCancellationRequested();
            progress.BeginSample(cell, index, count);
            TaskSample sample = source.Generate(index);
            int length = SamplePrompt.Create(sample, any.CompressesBeforeQuestion, engine.Encoder).Prefill.Length;
            PromptShape shape = SamplePrompt.Shape(engine.Configuration, length);
            var jobs = new Dictionary<SampleJob, ActiveRun>(ReferenceEqualityComparer.Instance);
            foreach (ActiveRun run in due)
            {
                try
                {
                    jobs.Add(CreateJob(run, shape), run);
                }
                catch (BudgetInfeasibleException e)
                {
                    Finish(run, run.Row(RunStatus.Infeasible, e.Message, e.MaximumFeasibleSparsity), open);
                    progress.Skip(run.SampleCount - index);
                }
            }

            if (jobs.Count > 0)
            {
                runner.Run(sample, [.. jobs.Keys], dense(index), (job, row) =>
                {
                    jobs[job].Append(row);
                    progress.Computed(job.Run.ToString());
                });
            }
        }

        CompleteFinished(open);
        foreach (string advice in new[] { DenseAdvice.Create(_completed), PrefillAdvice.Create(_completed) }.OfType<string>())
        {
            sink.Warning(advice);
        }
    }

    private static SampleJob CreateJob(ActiveRun run, PromptShape shape)
    {
        PlannedRun plan = run.Plan;
        return new SampleJob(
            plan,
            run.RunId,
            Solve(plan.Prefill, plan.PrefillParameters, plan.Specification.Sparsity),
            Solve(plan.Decode, plan.DecodeParameters, plan.Specification.DecodeSparsity));

        MethodParameters? Solve(AttentionMethod method, MethodParameters parameters, double? sparsity)
        {
            try
            {
                if (sparsity is not null && method.NeedsCalibration && run.CalibrationFailure is { } failure)
                {
                    throw failure;
                }

                MethodParameters solved =
                    sparsity is null ? parameters :
                    method.NeedsCalibration ? method.WithBudget(parameters, run.Calibration!.Budget) :
                    method.SolveBudget(sparsity.Value, shape, parameters).Parameters;
                method.RequireFeasible(shape, solved);
                return solved;
            }
            catch (BudgetInfeasibleException) when (plan.Specification.AllowDenseFallback)
            {
                return null;
            }
        }
    }

    /// <summary>The dense run's part in a sample: from this cell, or else from an earlier run of the store.</summary>
    private Func<int, DenseReference> FindDense(IReadOnlyList<ActiveRun> runs, PlannedRun any)
    {
        string id = RunIdentity.Hash(RunIdentity.Dense(any, engine.Identity, dataHash));
        ActiveRun? dense = runs.FirstOrDefault(r => r.RunId == id);
        IReadOnlyDictionary<int, SampleResult> samples = dense?.Samples
            ?? (IReadOnlyDictionary<int, SampleResult>?)store.Find(id)?.ReadSamples(id, _ => { })
            ?? new Dictionary<int, SampleResult>();
        return index =>
        {
            if ((dense?.Samples ?? samples).TryGetValue(index, out SampleResult? sample))
            {
                return new DenseReference(true, ReadTokens(sample.OutputTokens));
            }

            return new DenseReference(dense?.Directory is not null && index < dense.SampleCount, null);
        };
    }

    private static int[] ReadTokens(string text) =>
        [.. text.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(t => int.Parse(t, CultureInfo.InvariantCulture))];

    private void Calibrate(string cell, List<ActiveRun> open)
    {
        Calibration? calibration = null;
        foreach (ActiveRun run in open.Where(r => r.Plan.Prefill.NeedsCalibration && r.Plan.Specification.Sparsity is not null).ToList())
        {
            JsonObject key = Calibration.Key(run.Plan, engine.Identity, dataHash);
            string hash = RunIdentity.Hash(key);
            string path = Calibration.FilePath(store.Path, hash);
            StoredCalibration? known = Calibration.Read(path, hash) ?? Calibration.Read(run.Directory!.File("calibration.json"), hash);
            if (known is null)
            {
                progress.Calibrating(cell, run.Plan.Prefill.Name);
                calibration ??= new Calibration(engine, run.Plan);
                try
                {
                    if (calibration.PromptCount < Calibration.SampleCount)
                    {
                        sink.Warning(string.Create(
                            CultureInfo.InvariantCulture,
                            $"{cell}: the data hold {calibration.PromptCount} samples to calibrate on, {Calibration.SampleCount} are wanted. The sparsity of {run.Plan.Prefill.Name} may miss what was asked for; its row tells."));
                    }

                    known = calibration.Solve(run.Plan.Prefill, run.Plan.PrefillParameters, run.Plan.Specification.Sparsity!.Value, hash, cancellationToken);
                }
                catch (BudgetInfeasibleException e)
                {
                    run.CalibrationFailure = e;
                    continue;
                }

                StoreIO.Write(path, () => Directory.CreateDirectory(Path.GetDirectoryName(path)!));
                StoreIO.ReplaceJson(path, known);
                sink.Verbose(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{known.Method} at sparsity {known.RequestedSparsity}: calibrated to {known.Parameters}, measured {known.MeasuredSparsity:F4} on {known.SampleCount} samples."));
            }

            run.Calibration = known;
            StoreIO.ReplaceJson(run.Directory!.File("calibration.json"), known);
        }
    }

    private void CompleteFinished(List<ActiveRun> open)
    {
        foreach (ActiveRun run in open.Where(r => r.IsComplete).ToList())
        {
            SparseAttentionResult row = run.Row(RunStatus.Completed);
            _completed.Add(row);
            Finish(run, row, open);
        }
    }

    private void Finish(ActiveRun run, SparseAttentionResult row, List<ActiveRun> open)
    {
        run.Directory!.WriteSummary(row);
        run.Dispose();
        open.Remove(run);
        sink.Object(RunSummary.WithPath(row, run.Directory.Path));
    }

    /// <summary>Notes why runs stop; that they stop must not hang on it.</summary>
    private static void Note(List<ActiveRun> open, RunStatus status, string? message)
    {
        foreach (ActiveRun run in open)
        {
            try
            {
                run.Directory!.WriteState(status, message);
            }
            catch (SparseFrontierException)
            {
                // The run then reads as Partial, and goes on all the same.
            }
        }
    }
}
