namespace SparseFrontier.Experiments;

/// <summary>A run of a cell: what is planned, and while it is worked on its directory, claim and samples.</summary>
internal sealed class ActiveRun(PlannedRun plan, StoredSpecification stored) : IDisposable
{
    private RunClaim? _claim;
    private SampleFile? _file;

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

        Samples = Directory!.ReadSamples(RunId, damaged);
        if (summary.Status == RunStatus.Infeasible || (IsComplete && summary.SampleCount == SampleCount))
        {
            return RunSummary.WithPath(summary, Directory.Path);
        }

        return IsComplete ? RunSummary.WithPath(Row(RunStatus.Completed), Directory.Path) : null;
    }

    /// <summary>Takes the run's claim and opens its files.</summary>
    /// <exception cref="SparseFrontierException">RunBusy, ResultWriteFailed, ResultRowInvalid.</exception>
    public void Open(ResultStore store, bool startOver, Action<string> damaged)
    {
        Directory = store.FindOrCreate(stored);
        _claim = RunClaim.Take(Directory.Path);
        if (startOver)
        {
            Directory.SetAside();
        }

        Samples = Directory.ReadSamples(RunId, damaged);
        Directory.ClearState();
        Directory.WriteSpecification(stored.With(createdAt: Directory.ReadSpecification()?.CreatedAt));
        _file = SampleFile.CreateNext(Directory.Path, _claim.EarlierMayLive);
        Directory.WriteAttempt(_file.Name, plan.Specification.Device);
    }

    /// <summary>Puts a sample on the disk.</summary>
    public void Append(SampleResult sample)
    {
        _file!.Append(sample);
        Samples[sample.Index] = sample;
    }

    /// <summary>The row of the samples asked for, as far as they are there.</summary>
    public SparseAttentionResult Row(RunStatus status, string? message = null, double? maximumFeasibleSparsity = null) => RunSummary.Create(
        stored,
        status == RunStatus.Infeasible ? [] : [.. Samples.Values.Where(s => s.Index < SampleCount)],
        status,
        message,
        maximumFeasibleSparsity);

    /// <summary>Closes the files and gives the claim back.</summary>
    public void Dispose()
    {
        _file?.Dispose();
        _file = null;
        _claim?.Dispose();
        _claim = null;
    }
}
