namespace SparseFrontier.Experiments.Workers;

/// <summary>What a worker is told, as JSON a line: first the model, then what to compute. Samples that it has together run side by side.</summary>
internal sealed class WorkerRequest
{
    /// <summary>Number of the request, which the answers to it carry.</summary>
    public int Number { get; init; }

    /// <summary>Checkpoint directory to load; null in requests that compute.</summary>
    public string? ModelDirectory { get; init; }

    /// <summary>Device to load it on.</summary>
    public string Device { get; init; } = "";

    /// <summary>Sequences generated side by side at most.</summary>
    public int BatchSize { get; init; }

    /// <summary>Index of the sample to compute.</summary>
    public int Sample { get; init; }

    /// <summary>The sample's configurations; of a calibration, the one run.</summary>
    public IReadOnlyList<WorkerJob> Jobs { get; init; } = [];

    /// <summary>Whether there is a dense run to compare with.</summary>
    public bool DenseExists { get; init; }

    /// <summary>Its output for the sample; null if it is among the jobs.</summary>
    public int[]? DenseTokens { get; init; }

    /// <summary>Key of the calibration to find; null for a sample.</summary>
    public string? CalibrationKey { get; init; }
}

/// <summary>One configuration of a sample, as <see cref="SampleJob"/>.</summary>
internal sealed class WorkerJob
{
    /// <summary>The run, with full paths.</summary>
    public RunSpecification Run { get; init; } = new();

    /// <summary>Its id.</summary>
    public string RunId { get; init; } = "";

    /// <summary>Parameters of the prefill method; null where it falls back to dense.</summary>
    public string? Prefill { get; init; }

    /// <summary>Parameters of the decode method; null where it falls back to dense.</summary>
    public string? Decode { get; init; }
}

/// <summary>What a worker answers, as JSON a line. Each request ends with a reply that is <see cref="IsDone"/>.</summary>
internal sealed class WorkerReply
{
    /// <summary>Number of the request.</summary>
    public int Number { get; init; }

    /// <summary>Content hashes of the loaded model, in the answer to the first request.</summary>
    public ModelIdentity? Identity { get; init; }

    /// <summary>Index of the job that <see cref="Row"/> is of.</summary>
    public int Job { get; init; }

    /// <summary>A finished row.</summary>
    public SampleResult? Row { get; init; }

    /// <summary>A budget that was found.</summary>
    public StoredCalibration? Calibration { get; init; }

    /// <summary>Id of what went wrong with the request; null where nothing did.</summary>
    public string? ErrorId { get; init; }

    /// <summary>What went wrong, and what to do.</summary>
    public string Message { get; init; } = "";

    /// <summary>Largest feasible sparsity, of BudgetInfeasible.</summary>
    public double? MaximumFeasibleSparsity { get; init; }

    /// <summary>Whether the request is done with.</summary>
    public bool IsDone { get; init; }
}
