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
    /// <exception cref="SparseFrontierException">ResultWriteFailed; DeviceFailed: nothing runs on the device any more. What else goes wrong with a run is an error on the sink.</exception>
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
            open.ForEach(r => Attempt(r.WithdrawTry));
            open.ForEach(r => Attempt(() => r.Directory!.WriteState(RunStatus.Cancelled, null)));
            throw;
        }
        catch (SparseFrontierException e) when (e.ErrorId == ErrorIds.ResultWriteFailed)
        {
            open.ForEach(r => Attempt(r.WithdrawTry));
            throw;
        }
        catch (SparseFrontierException e)
        {
            foreach (ActiveRun run in open)
            {
                Attempt(() => run.Fail($"{e.ErrorId}: {e.Message}"));
                sink.Object(RunSummary.WithPath(run.Row(RunStatus.Failed, e.Message), run.Directory!.Path));
            }

            if (e.ErrorId == ErrorIds.DeviceFailed)
            {
                throw;
            }

            sink.Error(e);
        }
        catch (Exception e)
        {
            open.ForEach(r => Attempt(() => r.Fail(e.Message)));
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
        catch (SparseFrontierException e) when (e.ErrorId == ErrorIds.RunPoisoned)
        {
            sink.Object(RunSummary.WithPath(run.Row(RunStatus.Poisoned, e.Message), run.Directory!.Path));
            run.Dispose();
            progress.Skip(run.SampleCount);
            sink.Error(e);
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
        Calibrate(cell, open);
        int count = open.Select(r => r.SampleCount).DefaultIfEmpty().Max();
        var runner = new SampleRunner(engine, batchSize, cancellationToken) { Energy = Devices.EnergyOf(any.Specification.Device) };
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

            foreach (List<SampleJob> together in Companions(jobs))
            {
                RunTogether(runner, sample, together, jobs, dense, open);
            }
        }

        CompleteFinished(open);
        foreach (string advice in new[] { DenseAdvice.Create(_completed), PrefillAdvice.Create(_completed) }.OfType<string>())
        {
            sink.Warning(advice);
        }
    }

    /// <summary>
    /// Who shares a sample: all, except for runs of which an attempt ended at this sample before. Such a run comes alone, so that only the one that
    /// is to blame is charged when it happens again: the dense one first, because the others would be compared with it, the rest last.
    /// </summary>
    private static IEnumerable<List<SampleJob>> Companions(Dictionary<SampleJob, ActiveRun> jobs)
    {
        List<SampleJob> suspects = [.. jobs.Keys.Where(j => jobs[j].FailedTries > 0)];
        return suspects.Where(j => j.Run.IsDense).Select(j => new List<SampleJob> { j })
            .Append([.. jobs.Keys.Except(suspects)])
            .Concat(suspects.Where(j => !j.Run.IsDense).OrderBy(j => jobs[j].FailedTries).Select(j => new List<SampleJob> { j }))
            .Where(together => together.Count > 0);
    }

    /// <summary>Runs a sample of several runs. If that fails, each that is left is run alone, and fails alone.</summary>
    private void RunTogether(
        SampleRunner runner, TaskSample sample, List<SampleJob> together, Dictionary<SampleJob, ActiveRun> jobs, Func<int, DenseReference> dense, List<ActiveRun> open)
    {
        try
        {
            together.ForEach(j => jobs[j].BeginTry());
            runner.Run(sample, together, dense(sample.Index), (job, row) =>
            {
                jobs[job].Append(row);
                progress.Computed(job.Run.ToString());
            });
        }
        catch (SparseFrontierException e) when (e.ErrorId is not (ErrorIds.ResultWriteFailed or ErrorIds.DeviceFailed))
        {
            if (together.Count == 1)
            {
                Fail(jobs[together[0]], e, open);
                return;
            }

            foreach (SampleJob job in together.Where(j => !jobs[j].Samples.ContainsKey(sample.Index)))
            {
                RunTogether(runner, sample, [job], jobs, dense, open);
            }
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

            return new DenseReference(dense is { Directory: not null, HasFailed: false } && index < dense.SampleCount, null);
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
                run.BeginTry();
                try
                {
                    calibration ??= new Calibration(engine, run.Plan);
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
                catch (SparseFrontierException e) when (e.ErrorId != ErrorIds.DeviceFailed)
                {
                    Fail(run, e, open);
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

    private void Fail(ActiveRun run, SparseFrontierException error, List<ActiveRun> open)
    {
        Attempt(() => run.Fail($"{error.ErrorId}: {error.Message}"));
        progress.Skip(run.SampleCount - run.Samples.Keys.Count(i => i < run.SampleCount));
        SparseAttentionResult row = run.Row(RunStatus.Failed, error.Message);
        run.Dispose();
        open.Remove(run);
        sink.Object(RunSummary.WithPath(row, run.Directory!.Path));
        sink.Error(error);
    }

    /// <summary>Notes why a run stops; that it stops must not hang on it. What cannot be noted reads as Partial, and goes on all the same.</summary>
    private static void Attempt(Action note)
    {
        try
        {
            note();
        }
        catch (SparseFrontierException)
        {
            // The disk is full, or gone.
        }
    }
}
