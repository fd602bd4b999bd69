namespace SparseFrontier.Fuzz.Readers;

/// <summary>All readers.</summary>
internal static class FuzzReaders
{
    // Seeds take time to make: only those of the readers that are asked for.
    private static readonly OrderedDictionary<string, Func<FuzzReader>> s_readers = new(StringComparer.Ordinal)
    {
        ["safetensors"] = () => new SafetensorsReader(),
        ["safetensors-index"] = () => new SafetensorsIndexReader(),
        ["configuration"] = () => new ConfigurationReader(Golden()),
        ["checkpoint"] = () => new CheckpointReader(),
        ["tokenizer"] = () => new TokenizerFileReader(),
        ["chat-template"] = () => new ChatTemplateReader(Golden()),
        ["tokenizer-configuration"] = () => new TokenizerConfigurationReader(),
        ["squad"] = () => new SquadReader(Golden()),
        ["multiple-choice"] = () => new MultipleChoiceReader(Golden()),
        ["results"] = () => new ResultsReader(),
        ["rows"] = () => new RowsFileReader(),
        ["merge"] = () => new MergeReader(),
        ["bundle"] = () => new BundleFileReader(),
        ["trace"] = () => new TraceReader(),
        ["harness"] = () => new HarnessReader(),
        ["kvpress"] = () => new KVPressReader(),
        ["reference"] = () => new ReferenceReader(),
        ["runs-file"] = () => new RunsFileReader(),
        ["responses"] = () => new ResponseReader(),
        ["kernel-rows"] = () => new KernelRowsReader(),
        ["submission"] = () => new SubmissionReader(),
        ["analysis"] = () => new AnalysisReader(),
    };

    /// <summary>Names in order.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. s_readers.Keys];

    /// <summary>Creates a reader.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    public static FuzzReader Create(string name) => s_readers[name]();

    /// <summary>The folder of golden files of the repository that the program was built in.</summary>
    private static string Golden()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "SparseFrontier.slnx")))
        {
            folder = Path.GetDirectoryName(folder);
        }

        return Path.Combine(folder ?? throw new InvalidOperationException("The fuzzer does not run inside the repository."), "tests", "golden");
    }
}
