using System.Reflection;

namespace SparseFrontier.Experiments.Workers;

/// <summary>How a worker process is started.</summary>
/// <param name="FileName">The program.</param>
/// <param name="Arguments">Its arguments, of which "{pipe}" stands for the pipe's name.</param>
internal sealed record WorkerProgram(string FileName, IReadOnlyList<string> Arguments)
{
    /// <summary>Stands for the pipe's name.</summary>
    public const string Pipe = "{pipe}";

    /// <summary>Environment variables that the process gets beside this one's.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>The program of this process: the command line's, or PowerShell, which loads the engine from where the module has it.</summary>
    /// <exception cref="SparseFrontierException">PowerShellRequired: this process is neither.</exception>
    public static WorkerProgram Find() => Find(
        System.Environment.ProcessPath ?? "", Assembly.GetEntryAssembly()?.Location ?? "", typeof(WorkerProgram).Assembly.Location);

    /// <summary>The program of a process.</summary>
    /// <param name="process">Path of its executable.</param>
    /// <param name="entry">Path of the assembly that it began with.</param>
    /// <param name="engine">Path of the engine's assembly.</param>
    internal static WorkerProgram Find(string process, string entry, string engine) => (Stem(process), Stem(entry)) switch
    {
        ("sparsefrontier", _) => new WorkerProgram(process, [SampleWorker.Argument, Pipe]),
        ("dotnet", "sparsefrontier") => new WorkerProgram(process, [entry, SampleWorker.Argument, Pipe]),
        ("pwsh", _) => new WorkerProgram(process, PowerShell(engine)),

        // PowerShell that was installed as a tool of .NET.
        ("dotnet", "pwsh") => new WorkerProgram(process, [entry, .. PowerShell(engine)]),
        _ => throw new SparseFrontierException(
            ErrorIds.PowerShellRequired,
            $"Samples are spread over GPUs by worker processes, which this process ('{process}') cannot start. Run the same in pwsh or with the command line's program, or name one device.",
            process),
    };

    private static string[] PowerShell(string engine) =>
    [
        "-NoProfile",
        "-NonInteractive",
        "-Command",
        $"Add-Type -LiteralPath '{engine.Replace("'", "''", StringComparison.Ordinal)}'; exit [{typeof(SampleWorker).FullName}]::Serve('{Pipe}')",
    ];

    // Without the extension that Windows adds.
    private static string Stem(string path) => Path.GetFileName(path) is var name && Path.GetExtension(name) is ".exe" or ".dll" ? Path.GetFileNameWithoutExtension(name) : name;
}
