using SparseFrontier.Models.Transformer;
using SparseFrontier.Tasks;

namespace SparseFrontier.Experiments;

/// <summary>Where a model's samples are computed: in this process, or by worker processes, several samples at a time. Calls come from one thread, and so do its answers.</summary>
internal abstract class SampleExecutor : IDisposable
{
    /// <summary>Shape of the model.</summary>
    public abstract ModelConfiguration Configuration { get; }

    /// <summary>Content hashes of the model.</summary>
    public abstract ModelIdentity Identity { get; }

    /// <summary>How the model sees a prompt.</summary>
    public abstract PromptEncoder Encoder { get; }

    /// <summary>Whether a sample may be taken while others are under way.</summary>
    public abstract bool RunsSideBySide { get; }

    /// <summary>Has a sample computed; may return before it is, as soon as another can be taken.</summary>
    /// <param name="sample">The sample.</param>
    /// <param name="jobs">Configurations of one cell, the dense one first if it is among them.</param>
    /// <param name="dense">What to compare with, asked for when the sample begins.</param>
    /// <param name="completed">Told each job's row as it is done, during this or a later call.</param>
    /// <param name="failed">Told, likewise, why the jobs without a row have none.</param>
    /// <exception cref="SparseFrontierException">DeviceFailed: nothing can be computed any more; what <paramref name="completed"/> throws.</exception>
    public abstract void Run(
        TaskSample sample, IReadOnlyList<SampleJob> jobs, Func<DenseReference> dense, Action<SampleJob, SampleResult> completed, Action<SparseFrontierException> failed);

    /// <summary>Has a budget found (<see cref="Calibration.Solve"/>); may return before it is.</summary>
    /// <param name="run">The run.</param>
    /// <param name="key">Key under which the result is stored.</param>
    /// <param name="completed">Told the budget.</param>
    /// <param name="failed">Told why there is none: <see cref="BudgetInfeasibleException"/>, or what went wrong.</param>
    /// <exception cref="SparseFrontierException">As <see cref="Run"/>.</exception>
    public abstract void Calibrate(PlannedRun run, string key, Action<StoredCalibration> completed, Action<SparseFrontierException> failed);

    /// <summary>Waits until everything given is computed and told.</summary>
    /// <exception cref="SparseFrontierException">As <see cref="Run"/>.</exception>
    public abstract void Drain();

    /// <inheritdoc/>
    public abstract void Dispose();
}

/// <summary>Computes in this process, a sample after another; on a GPU several side by side where the configurations of one leave places of a batch free.</summary>
/// <param name="engine">The model; disposed with this.</param>
/// <param name="device">Where it is, for the rows.</param>
/// <param name="batchSize">Sequences generated side by side at most.</param>
/// <param name="cancellationToken">Stops between steps and layers.</param>
internal sealed class LocalExecutor(SampleEngine engine, string device, int batchSize, CancellationToken cancellationToken) : SampleExecutor
{
    private readonly SampleRunner _runner = new(engine, batchSize, cancellationToken, device) { Energy = Devices.EnergyOf(device) };
    private readonly List<Given> _given = [];
    private (string Cell, Calibration Calibration)? _calibration;

    /// <inheritdoc/>
    public override ModelConfiguration Configuration => engine.Configuration;

    /// <inheritdoc/>
    public override ModelIdentity Identity => engine.Identity;

    /// <inheritdoc/>
    public override PromptEncoder Encoder => engine.Encoder;

    /// <inheritdoc/>
    /// <remarks>A GPU's steps cost what starting them costs, so that more rows are for nothing; a processor's cost what their rows cost, and its memory is for the prompts.</remarks>
    public override bool RunsSideBySide { get; } = Devices.CudaOrdinal(device) is not null;

    /// <inheritdoc/>
    public override void Run(
        TaskSample sample, IReadOnlyList<SampleJob> jobs, Func<DenseReference> dense, Action<SampleJob, SampleResult> completed, Action<SparseFrontierException> failed)
    {
        if (_given.Any(g => g.Sample.Index == sample.Index && g.Left.Any(j => j.Run.IsDense)))
        {
            // The dense run's own output for the sample, which these jobs are compared with, is under way.
            Drain();
        }

        var given = new Given(sample, [.. jobs], dense, completed, failed);
        _given.Add(given);
        Guard(() =>
        {
            _runner.Add(sample, jobs, dense(), (job, row) => Tell(given, job, row));
            if (!RunsSideBySide)
            {
                _runner.Drain();
            }
        });
    }

    /// <inheritdoc/>
    public override void Drain() => Guard(_runner.Drain);

    /// <inheritdoc/>
    public override void Dispose()
    {
        _runner.Dispose();
        engine.Dispose();
    }

    /// <inheritdoc/>
    public override void Calibrate(PlannedRun run, string key, Action<StoredCalibration> completed, Action<SparseFrontierException> failed)
    {
        StoredCalibration found;
        try
        {
            // What the samples of a cell show is measured once for all its runs; a data file does not change while it is read.
            string cell = RunIdentity.Cell(run, engine.Identity, run.TaskOptions.DataPath).ToJsonString();
            if (_calibration?.Cell != cell)
            {
                _calibration = (cell, new Calibration(engine, run));
            }

            found = _calibration.Value.Calibration.Solve(run.Prefill, run.PrefillParameters, run.Specification.Sparsity!.Value, key, cancellationToken);
        }
        catch (SparseFrontierException e) when (IsOfTheSample(e))
        {
            failed(e);
            return;
        }

        completed(found);
    }

    private void Tell(Given given, SampleJob job, SampleResult row)
    {
        given.Left.Remove(job);
        if (given.Left.Count == 0)
        {
            _given.Remove(given);
        }

        given.Completed(job, row);
    }

    // What is under way together fails together: each sample is then run alone, and fails alone.
    private void Guard(Action work)
    {
        try
        {
            work();
        }
        catch (SparseFrontierException e) when (IsOfTheSample(e))
        {
            Given[] all = [.. _given];
            _given.Clear();
            foreach (Given given in all)
            {
                if (all.Length == 1)
                {
                    given.Failed(e);
                    break;
                }

                try
                {
                    _runner.Run(given.Sample, [.. given.Left], given.Dense(), (job, row) => Tell(given, job, row));
                }
                catch (SparseFrontierException own) when (IsOfTheSample(own))
                {
                    given.Failed(own);
                }
            }
        }
        catch
        {
            _given.Clear();
            throw;
        }
    }

    // A disk that takes no more and a device that is lost end more than a sample.
    private static bool IsOfTheSample(SparseFrontierException e) => e.ErrorId is not (ErrorIds.ResultWriteFailed or ErrorIds.DeviceFailed);

    /// <summary>A sample under way, and the jobs whose rows have not been told.</summary>
    private sealed record Given(
        TaskSample Sample, List<SampleJob> Left, Func<DenseReference> Dense, Action<SampleJob, SampleResult> Completed, Action<SparseFrontierException> Failed);
}
