namespace SparseFrontier.Experiments;

/// <summary>A run of a cell: what is planned, and while it is worked on its directory, claim and samples.</summary>
internal sealed class ActiveRun(PlannedRun plan, StoredSpecification stored) : IDisposable
{
    /// <summary>A run is given up after so many attempts at the same sample that ended with their process or with an error.</summary>
    public const int MaximumTries = 3;

    private readonly Dictionary<int, SampleResult> _unwritten = [];
    private RunClaim? _claim;
    private SampleFile? _file;
    private int _earlierTries;
    private bool _isCounted;
    private bool _gotOn;

    public PlannedRun Plan => plan;

    public StoredSpecification Stored => stored;

    public string RunId => stored.RunId;

    public int SampleCount => plan.Specification.SampleCount;

    /// <summary>Samples on the disk, by index; there may be more than the run asks for.</summary>
    public SortedDictionary<int, SampleResult> Samples { get; private set; } = [];

    /// <summary>The directory; null before it was found or made.</summary>
    public RunDirectory? Directory { get; private set; }

    /// <summary>The calibrated budget, where the prefill method needs one.</summary>
    public StoredCalibration? Calibration { get; set; }

    /// <summary>Why no calibrated budget reaches the sparsity asked for.</summary>
    public BudgetInfeasibleException? CalibrationFailure { get; set; }

    /// <summary>Earlier attempts at the next sample that ended with their process or with an error; 0 once this attempt has finished a sample.</summary>
    public int FailedTries => _gotOn ? 0 : _earlierTries;

    /// <summary>Whether the run ended by an error, or was given up before: nothing can be compared with it any more.</summary>
    public bool HasFailed { get; private set; }

    /// <summary>Whether all samples asked for are there.</summary>
    public bool IsComplete
    {
        get
        {
            for (int i = 0; i < SampleCount; i++)
            {
                if (!Samples.ContainsKey(i))
                {
                    return false;
                }
            }

            return true;
        }
    }

    /// <summary>The row of a finished run in the store; null if something is left to do.</summary>
    public SparseAttentionResult? ReadFinished(ResultStore store, Action<string> damaged)
    {
        Directory = store.Find(RunId);
        SparseAttentionResult? summary = Directory?.ReadSummary();
        if (summary is null)
        {
            return null;
        }

        Restore(Directory!);
        Samples = Directory!.ReadSamples(RunId, damaged);
        if (summary.Status == RunStatus.Infeasible || (IsComplete && summary.SampleCount == SampleCount))
        {
            return RunSummary.WithPath(summary, Directory.Path);
        }

        return IsComplete ? RunSummary.WithPath(Row(RunStatus.Completed), Directory.Path) : null;
    }

    /// <summary>Takes the run's claim and opens its files.</summary>
    /// <exception cref="SparseFrontierException">RunBusy, RunPoisoned, ResultWriteFailed, ResultRowInvalid.</exception>
    public void Open(ResultStore store, bool startOver, Action<string> damaged)
    {
        Directory = store.FindOrCreate(stored);
        _claim = RunClaim.Take(Directory.Path);
        if (startOver)
        {
            Directory.SetAside();
        }

        Samples = Directory.ReadSamples(RunId, damaged);
        CountTries();
        Directory.ClearState();
        Restore(Directory);
        Directory.WriteSpecification(stored);
        if (!_claim.EarlierMayLive)
        {
            Directory.DeleteTemporary();
        }

        _file = SampleFile.CreateNext(Directory.Path, _claim.EarlierMayLive);
        Directory.WriteAttempt(_file.Name, plan.Specification.Device);
    }

    /// <summary>Takes a sample that is to be written.</summary>
    public void Take(SampleResult sample) => _unwritten[sample.Index] = sample;

    /// <summary>Puts samples on the disk; may be called beside everything else, but not by two threads.</summary>
    /// <exception cref="SparseFrontierException">ResultWriteFailed; nothing of the samples stays in the file.</exception>
    public void Write(IReadOnlyList<SampleResult> samples) => _file!.Append(samples);

    /// <summary>Counts a sample that was taken, now that it is on the disk.</summary>
    public void Keep(SampleResult sample)
    {
        _unwritten.Remove(sample.Index);
        Samples[sample.Index] = sample;
        _gotOn = true;
    }

    /// <summary>A sample that is on the disk, or is being written; null if there is none.</summary>
    public SampleResult? Find(int index) => Samples.GetValueOrDefault(index) ?? _unwritten.GetValueOrDefault(index);

    /// <summary>Counts this attempt, before the model is given the run's next sample. Once one is finished, the count says by itself that the attempt got on.</summary>
    public void BeginTry()
    {
        if (!_isCounted)
        {
            Directory!.WriteTries(_earlierTries + 1, Samples.Count);
            _isCounted = true;
        }
    }

    /// <summary>Takes the count of this attempt back, as it ends for a reason that is not the run's.</summary>
    public void WithdrawTry()
    {
        if (!_isCounted)
        {
            return;
        }

        _isCounted = false;
        if (FailedTries == 0)
        {
            Directory!.ClearTries();
        }
        else
        {
            Directory!.WriteTries(FailedTries, Samples.Count);
        }
    }

    /// <summary>Notes that the run ended by an error; the count of its attempts stays.</summary>
    public void Fail(string message)
    {
        HasFailed = true;
        Directory!.WriteState(RunStatus.Failed, message);
    }

    /// <summary>The row of the samples asked for, as far as they are there.</summary>
    public SparseAttentionResult Row(RunStatus status, string? message = null, double? maximumFeasibleSparsity = null) => RunSummary.Create(
        stored,
        status == RunStatus.Infeasible ? [] : [.. Samples.Values.Where(s => s.Index < SampleCount)],
        status,
        message,
        maximumFeasibleSparsity);

    // A run began when its folder was made, whoever goes on with it.
    private void Restore(RunDirectory directory)
    {
        directory.RestoreSpecification(stored);
        stored = stored.With(createdAt: directory.ReadSpecification()?.CreatedAt);
    }

    /// <summary>Reads how earlier attempts ended, and gives the run up if they were too many.</summary>
    private void CountTries()
    {
        StoredTries? stored = Directory!.ReadTries();
        _earlierTries = stored is null ? 0 : stored.SampleCount == Samples.Count ? stored.Tries : 1;
        if (_earlierTries < MaximumTries || IsComplete)
        {
            return;
        }

        HasFailed = true;
        string file = Directory.File("tries.json");
        StoredState? state = Directory.ReadState();
        if (state is not { Status: RunStatus.Poisoned, Message: { Length: > 0 } message })
        {
            string last = state is { Status: RunStatus.Failed, Message: { Length: > 0 } why }
                ? $"The last error: {why}"
                : FormattableString.Invariant($"The last, process {stored!.ProcessId} on {stored.Host}, was killed, ran out of memory or crashed.");
            int next = Enumerable.Range(0, SampleCount).First(i => !Samples.ContainsKey(i));
            message = FormattableString.Invariant(
                $"{Plan} is skipped: {_earlierTries} attempts in a row ended at sample {next}. {last} What it finished before is kept. To try again, delete '{file}'.");
            Directory.WriteState(RunStatus.Poisoned, message);
        }

        throw new SparseFrontierException(ErrorIds.RunPoisoned, message, file);
    }

    /// <summary>Closes the files and gives the claim back.</summary>
    public void Dispose()
    {
        _file?.Dispose();
        _file = null;
        _claim?.Dispose();
        _claim = null;
    }
}
