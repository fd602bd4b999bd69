namespace SparseFrontier.Experiments;

/// <summary>What a file of rows holds: <see cref="ResultSummaryFile"/> reads and writes it, docs/results-format.md describes it.</summary>
/// <param name="Header">What the file says of itself.</param>
/// <param name="Rows">Rows with the scores of their samples.</param>
/// <param name="Kernels">Kernels measured, by device; none in files that were written from runs alone.</param>
internal sealed record ResultSummary(ResultSummaryHeader Header, IReadOnlyList<SparseAttentionResult> Rows, IReadOnlyList<KernelMeasurement> Kernels)
{
    private const string ResourceName = "SparseFrontier.findings.jsonl.br";

    private static readonly Lazy<ResultSummary> s_embedded = new(() =>
    {
        using Stream stream = typeof(ResultSummary).Assembly.GetManifestResourceStream(ResourceName) ?? throw new InvalidOperationException($"The engine lacks its resource {ResourceName}.");
        using var memory = new MemoryStream();
        stream.CopyTo(memory);
        return ResultSummaryFile.Read(memory.ToArray(), ResourceName, null);
    });

    /// <summary>What comes with this version: runs of the embedded models, docs/findings.jsonl.br.</summary>
    public static ResultSummary Embedded => s_embedded.Value;
}

/// <summary>What a file of rows says of itself, so that a stranger can judge it.</summary>
internal sealed record ResultSummaryHeader
{
    public string Format { get; init; } = "";

    public string Description { get; init; } = "";

    /// <summary>Module versions, with the commits where they say them, that computed the scores.</summary>
    public string ModuleVersion { get; init; } = "";

    /// <summary>Day of the first run, UTC.</summary>
    public string Date { get; init; } = "";

    /// <summary>Names of the devices that computed scores, by what rows call them: "cuda:0" is "NVIDIA H200". None where the runs do not say.</summary>
    public IReadOnlyDictionary<string, string> Devices { get; init; } = new Dictionary<string, string>();

    /// <summary>The same of the kernels.</summary>
    public IReadOnlyDictionary<string, string> KernelDevices { get; init; } = new Dictionary<string, string>();

    /// <summary>Content hash of each model's checkpoint. None where the runs do not say.</summary>
    public IReadOnlyDictionary<string, string> Checkpoints { get; init; } = new Dictionary<string, string>();

    /// <summary>Rows that follow: fewer are a file that was cut off.</summary>
    public int RunCount { get; init; }

    /// <summary>Kernels that follow.</summary>
    public int KernelCount { get; init; }
}
