using System.IO.Compression;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace SparseFrontier.Experiments;

/// <summary>
/// The summary of measured results that comes with the engine: rows of the embedded models with the score of every sample, and kernels measured on named devices.
/// A gzip file of JSON lines (docs/results-format.md), small because it holds neither outputs nor seconds of runs.
/// </summary>
/// <param name="Header">What the file says of itself.</param>
/// <param name="Rows">Completed rows; they have no folder and carry their samples.</param>
/// <param name="Kernels">Kernels measured, by device.</param>
internal sealed record ShippedResults(ShippedHeader Header, IReadOnlyList<SparseAttentionResult> Rows, IReadOnlyList<KernelMeasurement> Kernels)
{
    /// <summary>The format that is written and read.</summary>
    public const string CurrentFormat = "sparsefrontier-summary/1";

    private const string ResourceName = "SparseFrontier.shipped-results.jsonl.gz";

    // What a row is not followed by in the file: it is null, false, 0 or empty.
    private static readonly JsonSerializerOptions s_line = new(StoreJson.Line) { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault };

    private static readonly Lazy<ShippedResults> s_embedded = new(() =>
    {
        using Stream stream = typeof(ShippedResults).Assembly.GetManifestResourceStream(ResourceName) ?? throw new InvalidOperationException($"The engine lacks its resource {ResourceName}.");
        return Read(stream);
    });

    /// <summary>What comes with this version.</summary>
    public static ShippedResults Embedded => s_embedded.Value;

    /// <summary>Reads a summary.</summary>
    /// <exception cref="InvalidDataException">It is none, or of another format.</exception>
    public static ShippedResults Read(Stream stream)
    {
        using var text = new StreamReader(new GZipStream(stream, CompressionMode.Decompress));
        ShippedHeader? header = null;
        var rows = new List<SparseAttentionResult>();
        var kernels = new List<KernelMeasurement>();
        while (text.ReadLine() is { } line)
        {
            ShippedLine parsed = JsonSerializer.Deserialize<ShippedLine>(line, s_line) ?? throw new InvalidDataException("A line of the summary holds null.");
            header ??= parsed.Header is { Format: CurrentFormat } first ? first : throw new InvalidDataException($"The summary is not of the format {CurrentFormat}.");
            if (parsed.Run is { } run)
            {
                run.Samples = [.. parsed.Scores.Select((score, i) => new SampleResult { RunId = run.RunId, Index = i, Score = score, Parameters = run.Parameters, DecodeParameters = run.DecodeParameters })];
                rows.Add(run);
            }
            else if (parsed.Kernel is { } kernel)
            {
                kernels.Add(kernel);
            }
        }

        return new ShippedResults(header ?? throw new InvalidDataException("The summary is empty."), rows, kernels);
    }

    /// <summary>Writes a summary of rows that carry their samples.</summary>
    public void Write(Stream stream)
    {
        using var text = new StreamWriter(new GZipStream(stream, CompressionLevel.SmallestSize, leaveOpen: true)) { NewLine = "\n" };
        text.WriteLine(JsonSerializer.Serialize(new ShippedLine { Header = Header }, s_line));
        foreach (SparseAttentionResult row in Rows)
        {
            text.WriteLine(JsonSerializer.Serialize(new ShippedLine { Run = row, Scores = [.. row.Samples!.Select(s => s.Score ?? throw new InvalidDataException($"'{row}' has samples without scores."))] }, s_line));
        }

        foreach (KernelMeasurement kernel in Kernels)
        {
            text.WriteLine(JsonSerializer.Serialize(new ShippedLine { Kernel = kernel }, s_line));
        }
    }
}

/// <summary>What a summary says of itself, so that a stranger can judge it.</summary>
internal sealed record ShippedHeader
{
    public string Format { get; init; } = "";

    public string Description { get; init; } = "";

    /// <summary>Module version and commit that computed the scores.</summary>
    public string ModuleVersion { get; init; } = "";

    /// <summary>Day of the first run, UTC.</summary>
    public string Date { get; init; } = "";

    /// <summary>Names of the devices that computed scores, by what rows call them: "cuda:0" is "NVIDIA H200".</summary>
    public IReadOnlyDictionary<string, string> Devices { get; init; } = new Dictionary<string, string>();

    /// <summary>The same of the kernels.</summary>
    public IReadOnlyDictionary<string, string> KernelDevices { get; init; } = new Dictionary<string, string>();

    /// <summary>Content hash of each model's checkpoint.</summary>
    public IReadOnlyDictionary<string, string> Checkpoints { get; init; } = new Dictionary<string, string>();
}

/// <summary>A line of a summary: the header, a run with the score of each sample in order, or a kernel.</summary>
internal sealed record ShippedLine
{
    public ShippedHeader? Header { get; init; }

    public SparseAttentionResult? Run { get; init; }

    public double[] Scores { get; init; } = [];

    public KernelMeasurement? Kernel { get; init; }
}
