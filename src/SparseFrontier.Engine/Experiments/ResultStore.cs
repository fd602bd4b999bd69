using System.Globalization;

namespace SparseFrontier.Experiments;

/// <summary>A folder of runs: one directory each, found again by the run id.</summary>
internal sealed class ResultStore
{
    public ResultStore(string path) => Path = System.IO.Path.GetFullPath(path.Length == 0 ? DefaultPath : path);

    /// <summary>Where results go when no folder is named.</summary>
    public static string DefaultPath =>
        Environment.GetEnvironmentVariable("SPARSEFRONTIER_RESULTS") is { Length: > 0 } path ? path : "results";

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>Creates the folder and proves that it can be written to.</summary>
    /// <exception cref="SparseFrontierException">ResultWriteFailed.</exception>
    public void Prepare() => StoreIO.Write(Path, () =>
    {
        if (!Directory.Exists(Path))
        {
            Create();
            StoreIO.FlushFolder(System.IO.Path.GetDirectoryName(Path)!);
        }

        string probe = System.IO.Path.Combine(Path, $".probe-{Environment.ProcessId}-{Guid.NewGuid():N}");
        using (var stream = new FileStream(probe, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0, FileOptions.DeleteOnClose))
        {
            stream.WriteByte((byte)'\n');
            stream.Flush(flushToDisk: true);
        }
    });

    /// <summary>What was asked of the runs that are finished and whose specifications can be read; nothing where there is no folder.</summary>
    /// <exception cref="SparseFrontierException">ResultUnreadable.</exception>
    public IEnumerable<RunSpecification> Finished() => !Directory.Exists(Path)
        ? []
        : Runs().Where(r => File.Exists(r.File("summary.json"))).Select(Asked).OfType<RunSpecification>();

    /// <summary>The directory of a run; null if there is none.</summary>
    /// <exception cref="SparseFrontierException">ResultUnreadable.</exception>
    public RunDirectory? Find(string runId)
    {
        if (!Directory.Exists(Path))
        {
            return null;
        }

        foreach (string directory in Enumerate(Path, $"*-{runId[..8]}"))
        {
            var run = new RunDirectory(directory);
            if (run.IsOf(runId))
            {
                return run;
            }
        }

        return null;
    }

    /// <summary>The directory of a run, created if there is none.</summary>
    /// <exception cref="SparseFrontierException">ResultWriteFailed, ResultUnreadable.</exception>
    public RunDirectory FindOrCreate(StoredSpecification specification)
    {
        if (Find(specification.RunId) is { } existing)
        {
            return existing;
        }

        Create();

        // Processes of this host look and create one after another: of two that create at once, the one whose directory is named for the earlier second could not see the other's.
        using CreationLock? guard = CreationLock.Take(Path);
        if (Find(specification.RunId) is { } created)
        {
            return created;
        }

        var directory = new RunDirectory(System.IO.Path.Combine(Path, DirectoryName(specification)));
        StoreIO.Write(directory.Path, () => Directory.CreateDirectory(directory.Path));
        directory.WriteSpecification(specification);
        StoreIO.Write(directory.Path, () => StoreIO.FlushFolder(Path));

        // Another host may have created the same run in the meantime: both then use the older directory.
        if (Find(specification.RunId) is not { } older || older.Path == directory.Path)
        {
            return directory;
        }

        try
        {
            File.Delete(directory.File("spec.json"));
            Directory.Delete(directory.Path);
        }
        catch (IOException)
        {
            // What is in it is ignored, and taken in by a merge.
        }

        return older;
    }

    /// <summary>Copies the files of a run that the folder does not hold. Its specification, which makes it a run, comes last.</summary>
    /// <exception cref="SparseFrontierException">ResultWriteFailed, ResultUnreadable.</exception>
    public RunDirectory Add(StoredSpecification specification, string source)
    {
        Create();
        var directory = new RunDirectory(System.IO.Path.Combine(Path, DirectoryName(specification)));
        StoreIO.Write(directory.Path, () => Directory.CreateDirectory(directory.Path));
        foreach (string file in Directory.EnumerateFiles(source).OrderBy(f => System.IO.Path.GetFileName(f) == "spec.json").ThenBy(f => f, StringComparer.Ordinal))
        {
            StoreIO.Replace(directory.File(System.IO.Path.GetFileName(file)), StoreIO.ReadAll(file));
        }

        return directory;
    }

    /// <summary>
    /// All runs of the folder, or the run itself if the path is a run's directory, the oldest first. Of several directories of one run, which two
    /// hosts with different clocks can make at the same moment, the first: what <see cref="Find"/> gives.
    /// </summary>
    /// <exception cref="SparseFrontierException">ResultUnreadable.</exception>
    public IEnumerable<RunDirectory> Runs() => Groups().Select(g => g[0]);

    /// <summary>The further directories of runs that have several, each with the first.</summary>
    /// <exception cref="SparseFrontierException">ResultUnreadable.</exception>
    public IEnumerable<(RunDirectory First, RunDirectory Further)> Duplicates() => Groups().SelectMany(g => g.Skip(1).Select(d => (g[0], d)));

    private static RunSpecification? Asked(RunDirectory run)
    {
        try
        {
            return run.ReadSpecification()?.Specification;
        }
        catch (SparseFrontierException e) when (e.ErrorId is ErrorIds.ResultUnreadable or ErrorIds.ResultRowInvalid)
        {
            // Damaged, which is nothing to the others.
            return null;
        }
    }

    private void Create()
    {
        if (File.Exists(Path))
        {
            throw new SparseFrontierException(ErrorIds.ResultWriteFailed, $"'{Path}' is a file, and results are written to a folder. Name a folder: it is made where there is none.", Path);
        }

        StoreIO.Write(Path, () => Directory.CreateDirectory(Path));
    }

    private IEnumerable<List<RunDirectory>> Groups()
    {
        if (RunDirectory.IsRun(Path))
        {
            return [[new RunDirectory(Path)]];
        }

        // The name ends with half of the id; only where two names end alike, the files must tell.
        List<string> all = [.. Enumerate(Path, "*").Where(RunDirectory.IsRun)];
        HashSet<string> shared = [.. all.GroupBy(Suffix).Where(g => g.Count() > 1).Select(g => g.Key)];
        return all.GroupBy(d => shared.Contains(Suffix(d)) ? RunIdOf(d) : d).Select(g => g.Select(d => new RunDirectory(d)).ToList());

        static string Suffix(string directory) => directory[Math.Max(0, directory.Length - 9)..];

        static string RunIdOf(string directory)
        {
            try
            {
                return new RunDirectory(directory).ReadSpecification()?.RunId ?? directory;
            }
            catch (SparseFrontierException)
            {
                return directory;
            }
        }
    }

    private static IReadOnlyList<string> Enumerate(string path, string pattern)
    {
        try
        {
            return [.. Directory.EnumerateDirectories(path, pattern).Order(StringComparer.Ordinal)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SparseFrontierException(ErrorIds.ResultUnreadable, $"'{path}' cannot be read: {e.Message}", path, e);
        }
    }

    private static string DirectoryName(StoredSpecification specification)
    {
        RunSpecification run = specification.Specification;
        string method = run.DecodeMethod == "Dense" ? Plain(run.Method) : run.Method == "Dense" ? Plain(run.DecodeMethod) : $"{Plain(run.Method)}-{Plain(run.DecodeMethod)}";
        string stamp = specification.CreatedAt.UtcDateTime.ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture);
        return FormattableString.Invariant($"{stamp}-{method}-{Plain(run.Task)}-{run.SequenceLength}-{specification.RunId[..8]}");
    }

    // A bundle's specification may come from anybody: its names are no path.
    private static string Plain(string? name) =>
        string.Concat((name ?? "").Take(60).Select(c => char.IsAsciiLetterOrDigit(c) ? char.ToLowerInvariant(c) : '_'));
}
