using System.Globalization;
using System.Runtime.InteropServices;
using SparseFrontier.Kernels;

namespace SparseFrontier.Experiments;

/// <summary>The directory of one run (docs/results-format.md): append-only samples, everything else replaced by rename.</summary>
internal sealed class RunDirectory
{
    private static readonly string[] s_single = ["spec.json", "environment.json", "calibration.json", "state.json", "summary.json"];

    public RunDirectory(string path) => Path = System.IO.Path.GetFullPath(path);

    /// <summary>Full path.</summary>
    public string Path { get; }

    /// <summary>Full path of a file of the directory.</summary>
    public string File(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>
    /// Names of the files that hold the run; the claim, counts of tries and files set aside are this machine's. A folder of somebody else's may hold links: what they lead to is not the run's, and must
    /// not be carried away with it.
    /// </summary>
    /// <exception cref="SparseFrontierException">ResultUnreadable: one of them is a link, a pipe or a device.</exception>
    public IReadOnlyList<string> OwnFiles()
    {
        string[] names = [.. s_single.Concat(SampleFile.List(Path).Select(f => System.IO.Path.GetFileName(f)))];
        foreach (string path in names.Select(File))
        {
            if (new FileInfo(path).LinkTarget is { } target)
            {
                throw new SparseFrontierException(
                    ErrorIds.ResultUnreadable, $"'{path}' is a link to '{target}', and a run's files are its own. If what it leads to is the run's, put a copy in its place.", path);
            }

            StoreIO.ThrowIfNone(path);
        }

        return [.. names.Where(n => System.IO.File.Exists(File(n)))];
    }

    /// <summary>Whether a directory is a run's: it has a specification, or samples of a run that lost it.</summary>
    public static bool IsRun(string path) =>
        System.IO.File.Exists(System.IO.Path.Combine(path, "spec.json")) || (Directory.Exists(path) && SampleFile.List(path).Count > 0);

    /// <summary>The specification; null if the directory is not a run's. If a file system lost the rename that made it, the one under its temporary name.</summary>
    /// <exception cref="SparseFrontierException">ResultUnreadable; ResultRowInvalid: it is damaged, or there are samples without one.</exception>
    public StoredSpecification? ReadSpecification()
    {
        StoredSpecification? recovered = null;
        try
        {
            if (ReadSpecification("spec.json") is { } specification)
            {
                return specification;
            }
        }
        catch (SparseFrontierException e) when (e.ErrorId == ErrorIds.ResultRowInvalid && (recovered = ReadUnrenamed()) is not null)
        {
            return recovered;
        }

        return ReadUnrenamed() ?? (Directory.Exists(Path) && SampleFile.List(Path).Count > 0
            ? throw new SparseFrontierException(
                ErrorIds.ResultRowInvalid,
                $"'{Path}' holds samples but no spec.json, which a disk may lose with the power. Run the same again: the samples are taken up and spec.json is written.",
                Path)
            : null);
    }

    /// <summary>Whether the directory is a certain run's: by its specification, or where that is lost or damaged, by its samples.</summary>
    public bool IsOf(string runId)
    {
        try
        {
            return ReadSpecification()?.RunId == runId;
        }
        catch (SparseFrontierException e) when (e.ErrorId == ErrorIds.ResultRowInvalid)
        {
            return SampleFile.List(Path).SelectMany(f => SampleFile.Read(f, _ => { })).FirstOrDefault()?.RunId == runId;
        }
    }

    /// <summary>Writes the specification if it was lost or damaged; the time of creation is then that of the first attempt.</summary>
    public void RestoreSpecification(StoredSpecification specification)
    {
        try
        {
            if (ReadSpecification("spec.json") is not null)
            {
                return;
            }
        }
        catch (SparseFrontierException e) when (e.ErrorId == ErrorIds.ResultRowInvalid)
        {
            // Written anew.
        }

        WriteSpecification(specification.With(ReadUnrenamed()?.CreatedAt ?? (ReadAttempts() is [StoredAttempt first, ..] ? first.StartedAt : null)));
    }

    /// <summary>The summary; null while there is none.</summary>
    public SparseAttentionResult? ReadSummary() => StoreIO.ReadJson<SparseAttentionResult>(File("summary.json"));

    /// <summary>Why a run without a summary is not running; null if nothing was noted.</summary>
    public StoredState? ReadState() => StoreIO.ReadJson<StoredState>(File("state.json"));

    /// <summary>The budget that was found for the run's method; null if none was needed.</summary>
    /// <exception cref="SparseFrontierException">ResultUnreadable, ResultRowInvalid.</exception>
    public StoredCalibration? ReadCalibration() => StoreIO.ReadJson<StoredCalibration>(File("calibration.json"));

    /// <summary>The attempts that were not ended properly; null if there is none.</summary>
    public StoredTries? ReadTries()
    {
        try
        {
            return StoreIO.ReadJson<StoredTries>(File("tries.json"));
        }
        catch (SparseFrontierException e) when (e.ErrorId == ErrorIds.ResultRowInvalid)
        {
            // A damaged count must not stop a run: it begins again.
            return null;
        }
    }

    /// <summary>The samples of all attempts, merged by index.</summary>
    /// <param name="runId">Samples of other runs are left out.</param>
    /// <param name="damaged">Told of lines that are no samples.</param>
    /// <exception cref="SparseFrontierException">ResultRowInvalid: two attempts disagree about a sample.</exception>
    public SortedDictionary<int, SampleResult> ReadSamples(string runId, Action<string> damaged)
    {
        var merged = new SortedDictionary<int, SampleResult>();
        foreach (string file in SampleFile.List(Path))
        {
            foreach (SampleResult sample in SampleFile.Read(file, damaged))
            {
                if (sample.RunId != runId)
                {
                    damaged($"'{file}' holds a sample of run {sample.RunId}; it is left out.");
                }
                else
                {
                    SampleResult? other = merged.GetValueOrDefault(sample.Index);
                    RequireAgreement(sample, other, Path);
                    if (other?.FirstDivergentToken is null)
                    {
                        // Of equal ones the first, unless only a later one was compared with the dense run.
                        merged[sample.Index] = sample.FirstDivergentToken is null ? other ?? sample : sample;
                    }
                }
            }
        }

        return merged;
    }

    /// <summary>Refuses two attempts at a sample that differ in more than times, memory, device and the comparison with the dense run.</summary>
    /// <exception cref="SparseFrontierException">ResultRowInvalid.</exception>
    public static void RequireAgreement(SampleResult sample, SampleResult? other, string path)
    {
        if (other is not null && ResultExport.OwnAnswerOf(sample) != ResultExport.OwnAnswerOf(other))
        {
            throw new SparseFrontierException(
                ErrorIds.ResultRowInvalid,
                $"The attempts in '{path}' disagree about sample {sample.Index}, which must not happen: the run is not reproducible on this machine, or a file was changed. Run it again with -Force.",
                path);
        }
    }

    /// <summary>The row of the run as it stands: its summary, or what its samples give so far. Null if the directory is not a run's.</summary>
    /// <param name="damaged">Told of lines that are no samples, and of a finished run's samples that went with the torn end of a file.</param>
    public SparseAttentionResult? ReadRow(Action<string> damaged)
    {
        StoredSpecification? specification = ReadSpecification();
        if (specification is null)
        {
            return null;
        }

        SparseAttentionResult? summary = ReadSummary();
        SparseAttentionResult row = summary ?? Unfinished(specification, damaged);
        if (row.SchemaVersion > 1)
        {
            throw new SparseFrontierException(
                ErrorIds.ResultRowInvalid,
                $"'{Path}' was written by a newer version (schema {row.SchemaVersion}); this one reads schema 1. Update the program.",
                Path);
        }

        if (summary?.Status == RunStatus.Completed)
        {
            TellTorn(summary, damaged);
        }

        return RunSummary.WithPath(row, Path);
    }

    /// <summary>Replaces the specification.</summary>
    public void WriteSpecification(StoredSpecification specification) =>
        StoreIO.ReplaceJson(File("spec.json"), specification);

    /// <summary>Deletes what attempts that were killed left half written, once the files that count are whole.</summary>
    public void DeleteTemporary() => StoreIO.Write(Path, () =>
    {
        foreach (string file in Directory.EnumerateFiles(Path, "*.tmp"))
        {
            System.IO.File.Delete(file);
        }
    });

    /// <summary>Replaces the summary, and with it whatever state was noted.</summary>
    public void WriteSummary(SparseAttentionResult row)
    {
        StoreIO.ReplaceJson(File("summary.json"), RunSummary.WithPath(row, null));
        ClearState();
        ClearTries();
    }

    /// <summary>Notes why the run stopped.</summary>
    public void WriteState(RunStatus status, string? message) => StoreIO.ReplaceJson(
        File("state.json"),
        new StoredState { Status = status, Message = message, At = DateTimeOffset.UtcNow });

    /// <summary>Forgets why the run stopped.</summary>
    public void ClearState() => StoreIO.Write(Path, () => System.IO.File.Delete(File("state.json")));

    /// <summary>Counts an attempt that the model is about to begin.</summary>
    /// <param name="tries">Attempts at the same next sample, this one among them.</param>
    /// <param name="sampleCount">Samples that the directory holds.</param>
    public void WriteTries(int tries, int sampleCount) => StoreIO.ReplaceJson(
        File("tries.json"),
        new StoredTries
        {
            Tries = tries,
            SampleCount = sampleCount,
            At = DateTimeOffset.UtcNow,
            Host = Environment.MachineName,
            ProcessId = Environment.ProcessId,
        });

    /// <summary>Forgets the attempts that were counted.</summary>
    public void ClearTries() => StoreIO.Write(Path, () => System.IO.File.Delete(File("tries.json")));

    /// <summary>Notes where an attempt runs.</summary>
    public void WriteAttempt(string samplesFile, string device) => AddAttempts(
        [
            new StoredAttempt
            {
                StartedAt = DateTimeOffset.UtcNow,
                Host = Environment.MachineName,
                ProcessId = Environment.ProcessId,
                SlurmJobId = RunClaim.SlurmJobId,
                SlurmRestartCount = RunClaim.SlurmRestartCount,
                ModuleVersion = ModuleInformation.Version,
                Runtime = RuntimeInformation.FrameworkDescription,
                OperatingSystem = RuntimeInformation.OSDescription,
                Processor = HostInformation.ProcessorName,
                ProcessorCount = Environment.ProcessorCount,
                InstructionSet = KernelSets.InstructionSet,
                Device = device,
            },
        ],
        samplesFile);

    /// <summary>Where attempts ran; none where that is not known.</summary>
    public IReadOnlyList<StoredAttempt> ReadAttempts()
    {
        try
        {
            return StoreIO.ReadJson<StoredEnvironment>(File("environment.json"))?.Attempts ?? [];
        }
        catch (SparseFrontierException e) when (e.ErrorId == ErrorIds.ResultRowInvalid)
        {
            return [];
        }
    }

    /// <summary>Notes attempts whose samples are in a file of this directory.</summary>
    public void AddAttempts(IEnumerable<StoredAttempt> attempts, string samplesFile) => StoreIO.ReplaceJson(
        File("environment.json"),
        new StoredEnvironment { Attempts = [.. ReadAttempts(), .. attempts.Select(a => a.With(samplesFile))] });

    /// <summary>Sets finished work aside, so that the run starts over; nothing is deleted.</summary>
    public void SetAside() => StoreIO.Write(Path, () =>
    {
        string stamp = DateTimeOffset.UtcNow.ToString("yyyyMMdd'T'HHmmssfff'Z'", CultureInfo.InvariantCulture);
        foreach (string file in SampleFile.List(Path).Append(File("summary.json")).Append(File("calibration.json")).Where(System.IO.File.Exists))
        {
            System.IO.File.Move(file, $"{file}.{stamp}.old");
        }

        System.IO.File.Delete(File("tries.json"));
    });

    private StoredSpecification? ReadSpecification(string name) => StoreIO.ReadJson<StoredSpecification>(File(name)) switch
    {
        null => null,
        { RunId: { Length: 16 } id, Specification.SampleCount: >= 0 } stored when id.All(char.IsAsciiHexDigitLower) => stored,
        _ => throw new SparseFrontierException(
            ErrorIds.ResultRowInvalid,
            $"'{File(name)}' is damaged: a run has an id of 16 hexadecimal digits, and no fewer samples than 0. Run the same again: its samples are taken up and the file is written anew.",
            Path),
    };

    /// <summary>
    /// Of specifications under their temporary names, the one of most samples; null if none is whole. Only where there are samples: without, another process is just
    /// making the run, and nothing would be lost.
    /// </summary>
    private StoredSpecification? ReadUnrenamed()
    {
        if (!Directory.Exists(Path) || SampleFile.List(Path).Count == 0)
        {
            return null;
        }

        var whole = new List<StoredSpecification>();
        foreach (string file in Directory.EnumerateFiles(Path, "spec.json.*.tmp"))
        {
            try
            {
                if (ReadSpecification(System.IO.Path.GetFileName(file)) is { } specification)
                {
                    whole.Add(specification);
                }
            }
            catch (SparseFrontierException e) when (e.ErrorId is ErrorIds.ResultRowInvalid or ErrorIds.ResultUnreadable)
            {
                // Torn, or being written.
            }
        }

        return whole.MaxBy(s => s.Specification.SampleCount);
    }

    // A run that is not finished does such a sample without a word when it goes on. A finished one is asked again by nobody, and its row still counts the sample.
    private void TellTorn(SparseAttentionResult summary, Action<string> damaged)
    {
        string[] torn;
        SortedDictionary<int, SampleResult> samples;
        try
        {
            torn = [.. SampleFile.List(Path).Where(SampleFile.IsTorn)];
            if (torn.Length == 0)
            {
                return;
            }

            samples = ReadSamples(summary.RunId, _ => { });
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or SparseFrontierException { ErrorId: ErrorIds.ResultUnreadable or ErrorIds.ResultRowInvalid })
        {
            // Another process may just be setting them aside, or they may not be read: the row does not need them, and whoever reads samples is told.
            return;
        }

        int[] lost = [.. Enumerable.Range(0, summary.SampleCount).Where(i => !samples.ContainsKey(i))];
        if (lost.Length > 0)
        {
            string files = string.Join(" and ", torn.Select(f => $"'{f}'"));
            damaged(FormattableString.Invariant(
                $"{files} ends within a line: of the run's {Counted.Of(summary.SampleCount, "sample")} {Counted.Of(lost.Length, "is", "are")} lost ({string.Join(", ", lost)}). Its summary still counts what is lost, analyses by sample do without it. Run the same again: what is lost is computed again and written."));
        }
    }

    private SparseAttentionResult Unfinished(StoredSpecification specification, Action<string> damaged)
    {
        StoredState? state = ReadState();
        return RunSummary.Create(
            specification,
            [.. ReadSamples(specification.RunId, damaged).Values],
            state?.Status ?? RunStatus.Partial,
            state?.Message);
    }
}
