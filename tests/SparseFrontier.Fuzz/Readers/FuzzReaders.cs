namespace SparseFrontier.Fuzz.Readers;

/// <summary>All readers.</summary>
internal static class FuzzReaders
{
    /// <summary>Creates the readers.</summary>
    /// <param name="golden">The folder of golden files, for seeds.</param>
    public static IReadOnlyList<FuzzReader> All(string golden) =>
    [
        new SafetensorsReader(),
        new SafetensorsIndexReader(),
        new ConfigurationReader(golden),
        new CheckpointReader(),
        new TokenizerFileReader(),
        new ChatTemplateReader(golden),
        new TokenizerConfigurationReader(),
        new SquadReader(golden),
        new MultipleChoiceReader(golden),
        new ResultsReader(),
        new MergeReader(),
        new BundleFileReader(),
        new TraceReader(),
        new HarnessReader(),
        new KVPressReader(),
        new ReferenceReader(),
        new RunsFileReader(),
        new ResponseReader(),
        new KernelRowsReader(),
        new SubmissionReader(),
        new AnalysisReader(),
    ];

    /// <summary>Names in order.</summary>
    public static IReadOnlyList<string> Names(string golden) => [.. All(golden).Select(r => r.Name)];

    /// <summary>The folder of golden files of the repository that the program was built in.</summary>
    public static string Golden()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "SparseFrontier.slnx")))
        {
            folder = Path.GetDirectoryName(folder);
        }

        return Path.Combine(folder ?? throw new InvalidOperationException("The fuzzer does not run inside the repository."), "tests", "golden");
    }
}
