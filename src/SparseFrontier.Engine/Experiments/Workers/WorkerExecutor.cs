using System.Collections.Concurrent;
using System.Globalization;
using SparseFrontier.Models.Transformer;
using SparseFrontier.Tasks;

namespace SparseFrontier.Experiments.Workers;

/// <summary>
/// Spreads samples over devices, each with a worker process that loads the model there and has as many samples as it runs side by side, and the next ones. Rows come back
/// and are told on the caller's thread, so that one process writes the results. A worker that ends is started again; what it had not finished is computed again, rows
/// that it had told are not.
/// </summary>
internal sealed class WorkerExecutor : SampleExecutor
{
    private const int Tries = 3;

    // Requests that wait at a worker, so that it never has to ask.
    private const int Ahead = 2;

    private readonly string _directory;
    private readonly int _batchSize;
    private readonly WorkerProgram _program;
    private readonly Action<string> _warning;
    private readonly CancellationToken _cancellationToken;
    private readonly BlockingCollection<(WorkerProcess Process, WorkerReply? Reply)> _replies = [];
    private readonly List<Worker> _workers = [];
    private readonly LinkedList<Assignment> _waiting = new();
    private readonly int _processorCount;
    private ModelIdentity? _identity;
    private SparseFrontierException? _lost;
    private int _number;

    /// <summary>Starts the workers; they load the model while this one goes on.</summary>
    /// <param name="engines">How models are read.</param>
    /// <param name="directory">Checkpoint directory.</param>
    /// <param name="devices">A device of each worker.</param>
    /// <param name="batchSize">Sequences generated side by side at most.</param>
    /// <param name="program">How workers are started.</param>
    /// <param name="warning">Told of workers that end.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <exception cref="SparseFrontierException">What is wrong with the checkpoint; DeviceFailed: a process cannot be started.</exception>
    public WorkerExecutor(
        EngineFactory engines, string directory, IReadOnlyList<string> devices, int batchSize, WorkerProgram program, Action<string> warning, CancellationToken cancellationToken)
    {
        _directory = directory;
        _batchSize = batchSize;
        _program = program;
        _warning = warning;
        _cancellationToken = cancellationToken;
        _processorCount = Math.Max(1, Environment.ProcessorCount / devices.Count);
        Configuration = engines.ReadConfiguration(directory);
        Encoder = engines.OpenEncoder(directory);
        try
        {
            foreach (string device in devices)
            {
                var worker = new Worker(device);
                Start(worker);
                _workers.Add(worker);
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override ModelConfiguration Configuration { get; }

    /// <inheritdoc/>
    public override PromptEncoder Encoder { get; }

    /// <inheritdoc/>
    public override ModelIdentity Identity
    {
        get
        {
            while (_identity is null)
            {
                Next();
            }

            return _identity;
        }
    }

    /// <inheritdoc/>
    public override bool RunsSideBySide => true;

    /// <inheritdoc/>
    public override void Run(
        TaskSample sample, IReadOnlyList<SampleJob> jobs, Func<DenseReference> dense, Action<SampleJob, SampleResult> completed, Action<SparseFrontierException> failed) =>
        Give(new SampleAssignment(sample.Index, jobs, dense, completed, failed));

    /// <inheritdoc/>
    public override void Calibrate(PlannedRun run, string key, Action<StoredCalibration> completed, Action<SparseFrontierException> failed) =>
        Give(new CalibrationAssignment(run, key, completed, failed));

    /// <inheritdoc/>
    public override void Drain()
    {
        Send();
        while (_waiting.Count > 0 || _workers.Exists(w => w.Current.Count > 0))
        {
            Next();
        }
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        bool atOnce = _cancellationToken.IsCancellationRequested;
        _workers.ForEach(w => w.Process?.Stop(atOnce || w.Current.Count > 0));
        _workers.ForEach(w => w.Process?.Dispose());
        _workers.Clear();
    }

    private void Give(Assignment assignment)
    {
        assignment.Number = ++_number;
        _waiting.AddLast(assignment);

        // What has come meanwhile is put on the disk before more is begun; what is told may give more.
        while (_replies.TryTake(out (WorkerProcess Process, WorkerReply? Reply) reply))
        {
            Take(reply.Process, reply.Reply);
        }

        Send();
        while (_waiting.Count > 0)
        {
            Next();
        }
    }

    private void Send()
    {
        // To the worker that has the least.
        while (_workers.Where(w => w.IsReady).OrderBy(w => w.Current.Count).Select(w => (Worker: w, Assignment: NextFor(w))).FirstOrDefault(p => p.Assignment is not null)
            is { Assignment: { } assignment, Worker: { } worker })
        {
            _waiting.Remove(assignment);
            worker.Current.Add(assignment);
            worker.Process!.Send(assignment.Request(worker.Device));
        }
    }

    private Assignment? NextFor(Worker worker)
    {
        if (worker.Current.Exists(a => a.IsSuspect))
        {
            return null;
        }

        // What may have ended a worker runs alone, and on another device next: that tells a sample that ends workers from a device that does.
        return _waiting.FirstOrDefault(a => a.IsSuspect
            ? worker.Current.Count == 0 && (!a.Ended.Contains(worker) || _workers.TrueForAll(a.Ended.Contains))
            : worker.Current.Count < a.SideBySide(_batchSize));
    }

    private void Next()
    {
        if (_workers.Count == 0)
        {
            throw _lost!;
        }

        (WorkerProcess process, WorkerReply? reply) = _replies.Take(_cancellationToken);
        Take(process, reply);
        Send();
    }

    private void Take(WorkerProcess process, WorkerReply? reply)
    {
        if (_workers.Find(w => w.Process == process) is not { } worker)
        {
            return;
        }

        if (reply is null)
        {
            TakeEnd(worker);
            return;
        }

        if (worker.IsReady)
        {
            Assignment current = worker.Current.Find(a => a.Number == reply.Number)!;
            if (reply.IsDone)
            {
                worker.Current.Remove(current);
                worker.Faults = 0;
                current.Ended.Where(_workers.Contains).ToList().ForEach(w => Blame(w, "samples that another device computes"));
                current.Finish();
            }
            else
            {
                current.Take(reply);
            }
        }
        else if (reply.ErrorId is not null)
        {
            LeaveOut(worker, new SparseFrontierException(reply.ErrorId, reply.Message, worker.Device));
        }
        else if (reply.IsDone)
        {
            worker.IsReady = true;
        }
        else if (reply.Identity is { } identity)
        {
            _identity ??= identity;
            if (_identity != identity)
            {
                LeaveOut(worker, new SparseFrontierException(ErrorIds.CheckpointInvalid, $"The checkpoint '{_directory}' was changed while it was loaded.", _directory));
            }
        }
    }

    // A process that was killed, or whose device failed.
    private void TakeEnd(Worker worker)
    {
        string ending = worker.Process!.Ending();
        worker.Process.Dispose();
        worker.Process = null;
        worker.IsReady = false;
        Assignment[] unfinished = [.. worker.Current.Where(a => !a.IsFinished)];
        bool began = worker.Current.Count > 0;
        worker.Current.Clear();
        if (!began)
        {
            Blame(worker, $"processes, the last with {ending}");
        }
        else if (unfinished is [{ } alone])
        {
            alone.Ended.Add(worker);
        }

        List<Assignment> again = [.. unfinished.Where(a => a.Ended.Count < Tries)];
        foreach (Assignment assignment in Enumerable.Reverse(again))
        {
            assignment.IsSuspect = true;
            _waiting.AddFirst(assignment);
        }

        if (_workers.Contains(worker))
        {
            _warning($"The worker of {worker.Device} ended with {ending}. It is started again{(again.Count > 0 ? $"; to be computed again: {string.Join(", ", again)}" : "")}.");
            Start(worker);
        }

        foreach (Assignment given in unfinished.Except(again))
        {
            given.Failed(new SparseFrontierException(
                ErrorIds.DeviceFailed,
                $"{Tries} worker processes ended while they computed {given}, the last on {worker.Device} with {ending}. What had finished is kept; run it on one device to see what ends it.",
                worker.Device));
        }
    }

    private void Blame(Worker worker, string what)
    {
        if (++worker.Faults == Tries)
        {
            LeaveOut(worker, new SparseFrontierException(ErrorIds.DeviceFailed, $"{worker.Device} has ended {Tries} {what}.", worker.Device));
        }
    }

    private void LeaveOut(Worker worker, SparseFrontierException why)
    {
        worker.Process?.Stop(atOnce: true);
        worker.Process?.Dispose();
        _workers.Remove(worker);
        _lost = why;
        if (_workers.Count > 0)
        {
            _warning($"{worker.Device} is left out, the other devices go on. {why.Message}");
        }
    }

    private void Start(Worker worker)
    {
        worker.Process = new WorkerProcess(_program, _processorCount, (process, reply) => _replies.Add((process, reply), CancellationToken.None));
        worker.Process.Send(new WorkerRequest { ModelDirectory = _directory, Device = worker.Device, BatchSize = _batchSize });
    }

    private sealed class Worker(string device)
    {
        public string Device => device;

        public WorkerProcess? Process { get; set; }

        public bool IsReady { get; set; }

        /// <summary>Processes that ended since one finished something: before they began, or over what another device then computed.</summary>
        public int Faults { get; set; }

        /// <summary>What it was given and has not done.</summary>
        public List<Assignment> Current { get; } = [];
    }

    /// <summary>Something to compute.</summary>
    private abstract class Assignment(Action<SparseFrontierException> failed)
    {
        private SparseFrontierException? _error;

        /// <summary>Number of the requests for it.</summary>
        public int Number { get; set; }

        /// <summary>Whether it was among what a worker had that ended; it then runs alone.</summary>
        public bool IsSuspect { get; set; }

        /// <summary>Workers that ended over it alone, once for each time.</summary>
        public List<Worker> Ended { get; } = [];

        /// <summary>Whether nothing of it is left to compute.</summary>
        public abstract bool IsFinished { get; }

        /// <summary>Tells why the rest of it is not computed.</summary>
        public Action<SparseFrontierException> Failed => failed;

        public abstract WorkerRequest Request(string device);

        /// <summary>Assignments like this one that a worker has at most.</summary>
        public abstract int SideBySide(int batchSize);

        /// <summary>Takes an answer that is not the last.</summary>
        public void Take(WorkerReply reply)
        {
            if (reply.ErrorId is null)
            {
                Keep(reply);
            }
            else
            {
                _error = reply.MaximumFeasibleSparsity is double most
                    ? new BudgetInfeasibleException(reply.Message, most)
                    : new SparseFrontierException(reply.ErrorId, reply.Message);
            }
        }

        /// <summary>The worker has done with it.</summary>
        public void Finish()
        {
            if (_error is not null)
            {
                failed(_error);
            }
        }

        protected abstract void Keep(WorkerReply reply);
    }

    private sealed class SampleAssignment(
        int index, IReadOnlyList<SampleJob> jobs, Func<DenseReference> dense, Action<SampleJob, SampleResult> completed, Action<SparseFrontierException> failed)
        : Assignment(failed)
    {
        private readonly List<SampleJob> _left = [.. jobs];
        private SampleJob[] _sent = [];

        public override bool IsFinished => _left.Count == 0;

        public override WorkerRequest Request(string device)
        {
            _sent = [.. _left];
            DenseReference reference = dense();
            return new WorkerRequest
            {
                Number = Number,
                Sample = index,
                Jobs = [.. _sent.Select(j => new WorkerJob { Run = j.Run.Portable(device), RunId = j.RunId, Prefill = j.Prefill?.ToString(), Decode = j.Decode?.ToString() })],
                DenseExists = reference.Exists,
                DenseTokens = reference.OutputTokens,
            };
        }

        public override int SideBySide(int batchSize) => (batchSize / jobs.Count) + Ahead;

        public override string ToString() => string.Create(
            CultureInfo.InvariantCulture, $"sample {index} of {(_left.Count == 1 ? _left[0].Run.ToString() : $"{_left.Count} runs of {jobs[0].Run.Specification.Task}")}");

        protected override void Keep(WorkerReply reply)
        {
            SampleJob job = _sent[reply.Job];
            completed(job, reply.Row!);
            _left.RemoveAll(j => ReferenceEquals(j, job));
        }
    }

    private sealed class CalibrationAssignment(PlannedRun run, string key, Action<StoredCalibration> completed, Action<SparseFrontierException> failed) : Assignment(failed)
    {
        private bool _isFound;

        public override bool IsFinished => _isFound;

        public override WorkerRequest Request(string device) => new() { Number = Number, CalibrationKey = key, Jobs = [new WorkerJob { Run = run.Portable(device) }] };

        public override int SideBySide(int batchSize) => 1;

        public override string ToString() => $"the calibration of {run}";

        protected override void Keep(WorkerReply reply)
        {
            _isFound = true;
            completed(reply.Calibration!);
        }
    }
}
