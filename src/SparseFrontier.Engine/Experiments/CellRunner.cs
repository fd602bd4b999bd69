using System.Globalization;
using SparseFrontier.Analysis;
using SparseFrontier.Attention;
using SparseFrontier.Tasks;

namespace SparseFrontier.Experiments;

/// <summary>
/// Runs the runs of one cell, which have model, samples and protocol in common: samples outermost, each on the disk before the next begins (or, where
/// several are under way together, before it counts), a row as soon as a run is complete.
/// </summary>
internal sealed class CellRunner(
    ResultStore store,
    SampleExecutor executor,
    string? dataHash,
    SweepProgress progress,
    IPipelineSink sink,
    CancellationToken cancellationToken)
{
    private readonly List<SparseAttentionResult> _completed = [];
    private readonly Queue<Failure> _failures = new();
    private readonly List<(ActiveRun Run, SparseFrontierException Error)> _untold = [];
    private RowWriter? _writer;

    /// <summary>Runs a cell.</summary>
    /// <param name="runs">Its runs, no two with the same id.</param>
    /// <param name="force">Whether to start finished runs over.</param>
    /// <exception cref="SparseFrontierException">ResultWriteFailed; DeviceFailed: nothing runs on the device any more. What else goes wrong with a run is an error on the sink.</exception>
    public void Run(IReadOnlyList<ActiveRun> runs, bool force)
    {
        var open = new List<ActiveRun>();
        try
        {
            List<ActiveRun> due = force ? [.. InOrder(runs)] : EmitFinished(runs);
            if (due.Count > 0)
            {
                string cell = Name(due[0].Plan);
                progress.BeginCell(cell);
                TaskSource source = OpenSource(due);
                due.ForEach(r => Open(r, force, open));
                if (open.Count > 0)
                {
                    // Rows that were computed are kept, however the cell ends.
                    using var writer = new RowWriter(open.Count, (run, row) =>
                    {
                        run.Keep(row);
                        progress.Computed(run.Plan.ToString());
                    });
                    _writer = writer;
                    RunSamples(cell, source, runs, open);
                }
            }
        }
        catch (OperationCanceledException)
        {
            open.ForEach(r => Attempt(r.WithdrawTry));
            open.ForEach(r => Attempt(() => Stop(r)));
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

    /// <summary>Emits the rows of those runs that the store holds complete; returns the others.</summary>
    public List<ActiveRun> EmitFinished(IReadOnlyList<ActiveRun> runs) => [.. InOrder(runs).Where(r => !EmitFinished(r))];

    // The dense run first: the others are compared with it.
    private static IEnumerable<ActiveRun> InOrder(IReadOnlyList<ActiveRun> runs) => runs.OrderBy(r => !r.Plan.IsDense);

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
        TaskSource source = any.Task.Open(any.TaskOptions, executor.Encoder);
        int count = due.Max(r => r.SampleCount);
        return source.Count < count
            ? throw new SparseFrontierException(
                ErrorIds.ParameterInvalid,
                string.Create(CultureInfo.InvariantCulture, $"{any.Task.Name} has {Counted.Of(source.Count.Value, "sample")} in its data, {count} were asked for. Ask for fewer."),
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
            sink.Verbose(string.Create(CultureInfo.InvariantCulture, $"{run.Plan}: {Counted.Of(kept, "sample is", "samples are")} there, {run.SampleCount - kept} to do, in '{run.Directory!.Path}'."));
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
        try
        {
            Calibrate(cell, open);
            GiveSamples(cell, source, any, dense, open);
            Settle(dense, open);
        }
        catch (SparseFrontierException e) when (e.ErrorId is not (ErrorIds.ResultWriteFailed or ErrorIds.DeviceFailed))
        {
            // Samples that are under way are kept.
            Drain();
            throw;
        }
        finally
        {
            TellErrors();
        }

        CompleteFinished(open);
        string?[] advice =
        [
            DenseAdvice.Create(_completed),
            SpeedAdvice.OfPrefill(_completed),
            SpeedAdvice.OfPrefillAlone(_completed, ModelShape.From(ModelCatalog.NameOf(any.Specification.Model), executor.Configuration)),
            SpeedAdvice.OfDecode(_completed),
            FallbackAdvice.Create(_completed),
        ];
        foreach (string text in advice.OfType<string>())
        {
            sink.Warning(text);
        }
    }

    private void GiveSamples(string cell, TaskSource source, PlannedRun any, Func<int, DenseReference> dense, List<ActiveRun> open)
    {
        int count = open.Select(r => r.SampleCount).DefaultIfEmpty().Max();
        for (int index = 0; index < count; index++)
        {
            CompleteFinished(open);
            List<ActiveRun> due = [.. open.Where(r => index < r.SampleCount && r.Find(index) is null)];
            if (due.Count == 0)
            {
                continue;
            }

            cancellationToken.ThrowIfCancellationRequested();
            progress.BeginSample(cell, index, count);
            TaskSample sample = source.Generate(index);
            int length = SamplePrompt.Create(sample, any.CompressesBeforeQuestion, executor.Encoder).Prefill.Length;
            PromptShape shape = SamplePrompt.Shape(executor.Configuration, length);
            var jobs = new Dictionary<SampleJob, ActiveRun>(ReferenceEqualityComparer.Instance);
            foreach (ActiveRun run in due)
            {
                try
                {
                    jobs.Add(CreateJob(run, shape), run);
                }
                catch (BudgetInfeasibleException e)
                {
                    // Rows of it may be under way.
                    Drain();
                    Finish(run, run.Row(RunStatus.Infeasible, e.Message, e.MaximumFeasibleSparsity), open);
                    progress.Skip(run.SampleCount - index);
                }
            }

            foreach (List<SampleJob> together in Companions(jobs))
            {
                // Nothing else may be under way that is lost, and charged, if a suspect ends the process again.
                bool suspect = jobs[together[0]].FailedTries > 0;
                if (suspect)
                {
                    Drain();
                }

                Give(sample, together, jobs, dense);
                if (suspect)
                {
                    Drain();
                }

                TakeFailures(dense, open);
            }

            TellErrors();
        }
    }

    /// <summary>Waits until everything given is computed and on the disk.</summary>
    private void Drain()
    {
        executor.Drain();
        _writer!.Drain();
    }

    /// <summary>Waits for what was given; what failed of it may be given again.</summary>
    private void Settle(Func<int, DenseReference> dense, List<ActiveRun> open)
    {
        Drain();
        while (_failures.Count > 0)
        {
            TakeFailures(dense, open);
            Drain();
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

    private void Give(TaskSample sample, List<SampleJob> together, Dictionary<SampleJob, ActiveRun> jobs, Func<int, DenseReference> dense)
    {
        together.ForEach(j => jobs[j].BeginTry());
        executor.Run(
            sample,
            together,
            () => dense(sample.Index),
            (job, row) => _writer!.Add(jobs[job], row),
            error => _failures.Enqueue(new Failure(sample, together, jobs, error)));
        if (!executor.RunsSideBySide || (together is [{ Run.IsDense: true }] && jobs.Count > 1))
        {
            // Nothing is begun before the disk has it; or the others of the sample are compared with it, unless it fails.
            Drain();
        }
    }

    /// <summary>
    /// Where a sample of several runs failed, each that is left is given by itself, and fails by itself: what fails beside others that are under way, the executor computes
    /// again alone before it tells of it.
    /// </summary>
    private void TakeFailures(Func<int, DenseReference> dense, List<ActiveRun> open)
    {
        while (_failures.TryDequeue(out Failure? failure))
        {
            foreach (SampleJob job in failure.Together)
            {
                ActiveRun run = failure.Jobs[job];
                if (!open.Contains(run) || run.Find(failure.Sample.Index) is not null)
                {
                    continue;
                }

                if (failure.Together.Count > 1)
                {
                    Give(failure.Sample, [job], failure.Jobs, dense);
                    TakeFailures(dense, open);
                }
                else
                {
                    Fail(run, failure.Error, open);
                }
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

    /// <summary>The dense run's part in a sample: from this cell, though another process may compute it now, or else from an earlier run of the store.</summary>
    private Func<int, DenseReference> FindDense(IReadOnlyList<ActiveRun> runs, PlannedRun any)
    {
        string id = RunIdentity.Hash(RunIdentity.Dense(any, executor.Identity, dataHash));
        ActiveRun? dense = runs.FirstOrDefault(r => r.RunId == id);
        IReadOnlyDictionary<int, SampleResult> samples = dense?.Samples
            ?? (IReadOnlyDictionary<int, SampleResult>?)store.Find(id)?.ReadSamples(id, _ => { })
            ?? new Dictionary<int, SampleResult>();
        return index =>
        {
            if ((dense is null ? samples.GetValueOrDefault(index) : dense.Find(index)) is { } sample)
            {
                return new DenseReference(true, ReadTokens(sample.OutputTokens));
            }

            return new DenseReference(dense is { HasFailed: false } && index < dense.SampleCount, null);
        };
    }

    private static int[] ReadTokens(string text) =>
        [.. text.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(t => int.Parse(t, CultureInfo.InvariantCulture))];

    private void Calibrate(string cell, List<ActiveRun> open)
    {
        var failed = new List<(List<ActiveRun> Runs, SparseFrontierException Error)>();
        foreach (var same in open
            .Where(r => r.Plan.Prefill.NeedsCalibration && r.Plan.Specification.Sparsity is not null)
            .GroupBy(r => RunIdentity.Hash(Calibration.Key(r.Plan, executor.Identity, dataHash)))
            .ToList())
        {
            string hash = same.Key;
            List<ActiveRun> runs = [.. same];
            if ((Calibration.Read(Calibration.FilePath(store.Path, hash), hash)
                ?? runs.Select(r => Calibration.Read(r.Directory!.File("calibration.json"), hash)).FirstOrDefault(c => c is not null)) is { } known)
            {
                Take(runs, known);
                continue;
            }

            progress.Calibrating(cell, runs[0].Plan.Prefill.Name);
            runs.ForEach(r => r.BeginTry());
            executor.Calibrate(runs[0].Plan, hash, found => Keep(cell, hash, found, runs), error => failed.Add((runs, error)));
        }

        Drain();
        foreach ((List<ActiveRun> runs, SparseFrontierException error) in failed)
        {
            if (error is BudgetInfeasibleException infeasible)
            {
                runs.ForEach(r => r.CalibrationFailure = infeasible);
            }
            else
            {
                runs.ForEach(r => Fail(r, error, open));
            }
        }

        TellErrors();
    }

    private void Keep(string cell, string hash, StoredCalibration found, List<ActiveRun> runs)
    {
        if (found.SampleCount < Calibration.SampleCount)
        {
            sink.Warning(string.Create(
                CultureInfo.InvariantCulture,
                $"{cell}: the data hold {Counted.Of(found.SampleCount, "sample")} to calibrate on, {Calibration.SampleCount} are wanted. The sparsity of {found.Method} may miss what was asked for; its row tells."));
        }

        string path = Calibration.FilePath(store.Path, hash);
        StoreIO.Write(path, () => Directory.CreateDirectory(Path.GetDirectoryName(path)!));
        StoreIO.ReplaceJson(path, found);
        sink.Verbose(string.Create(
            CultureInfo.InvariantCulture,
            $"{found.Method} at sparsity {found.RequestedSparsity}: calibrated to {found.Parameters}, measured {found.MeasuredSparsity:F4} on {Counted.Of(found.SampleCount, "sample")}."));
        Take(runs, found);
    }

    private static void Take(List<ActiveRun> runs, StoredCalibration calibration)
    {
        foreach (ActiveRun run in runs)
        {
            run.Calibration = calibration;
            StoreIO.ReplaceJson(run.Directory!.File("calibration.json"), calibration);
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

    // Runs of a cell have their last samples together, and whoever takes the first row of them may want no more.
    private static void Stop(ActiveRun run)
    {
        if (run.IsComplete)
        {
            run.Directory!.WriteSummary(run.Row(RunStatus.Completed));
        }
        else
        {
            run.Directory!.WriteState(RunStatus.Cancelled, null);
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
        // Rows of it may be under way.
        Drain();
        Attempt(() => run.Fail($"{error.ErrorId}: {error.Message}"));
        progress.Skip(run.SampleCount - run.Samples.Keys.Count(i => i < run.SampleCount));
        SparseAttentionResult row = run.Row(RunStatus.Failed, error.Message);
        run.Dispose();
        open.Remove(run);
        sink.Object(RunSummary.WithPath(row, run.Directory!.Path));
        _untold.Add((run, error));
    }

    /// <summary>Tells why runs failed: what several say in the same words once, with their number. The row of each says it too.</summary>
    private void TellErrors()
    {
        (ActiveRun Run, SparseFrontierException Error)[] untold = [.. _untold];
        _untold.Clear();
        foreach (var same in untold.GroupBy(e => (e.Error.ErrorId, e.Error.Message)))
        {
            int count = same.Count();
            (ActiveRun run, SparseFrontierException error) = same.First();
            sink.Error(count == 1 ? error : new SparseFrontierException(
                error.ErrorId, string.Create(CultureInfo.InvariantCulture, $"{error.Message} This ended {count} runs of {Name(run.Plan)}."), error.Target, error));
        }
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

    /// <summary>Jobs of a sample that have no row, and why.</summary>
    private sealed record Failure(TaskSample Sample, List<SampleJob> Together, Dictionary<SampleJob, ActiveRun> Jobs, SparseFrontierException Error);
}
