namespace SparseFrontier.Experiments.Operations;

/// <summary>
/// Completes runs from what all attempts hold together, and takes runs of other folders in: samples that are not there yet are added as one
/// more attempt, equal ones collapse, different ones are an error. Doing it again changes nothing. Emits a row for each run.
/// </summary>
public sealed class MergeResultOperation
{
    /// <summary>Folders of results, or of single runs, to take in; wildcards match. Empty: only what the folder of results holds itself.</summary>
    public IReadOnlyList<string> Path { get; init; } = [];

    /// <summary>Folder of results that is completed; empty: the default one.</summary>
    public string ResultPath { get; init; } = "";

    /// <summary>Merges.</summary>
    /// <exception cref="SparseFrontierException">FileNotFound: a path that is not there; ResultWriteFailed. What is wrong with a run (ResultRowInvalid, RunBusy, ...) is an error on the sink.</exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        var store = new ResultStore(ResultPath);
        IReadOnlyList<string> sources = [.. Path.SelectMany(Expand).Select(System.IO.Path.GetFullPath).Where(p => p != store.Path).Distinct()];
        if (sources.Count == 0 && !Directory.Exists(store.Path))
        {
            throw new SparseFrontierException(ErrorIds.FileNotFound, $"There is no folder of results '{store.Path}'.", store.Path);
        }

        if (!sink.ShouldProcess(store.Path, sources.Count == 0 ? "Complete the runs" : $"Take in and complete the runs of {string.Join(", ", sources)}"))
        {
            return;
        }

        var touched = new List<RunDirectory>();
        foreach (RunDirectory source in sources.SelectMany(s => new ResultStore(s).Runs()))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (Attempt(() => TakeIn(source, store, sink), sink) is { } target)
            {
                touched.Add(target);
            }
        }

        if (sources.Count == 0)
        {
            foreach ((RunDirectory _, RunDirectory further) in store.Duplicates())
            {
                cancellationToken.ThrowIfCancellationRequested();
                Attempt(() => TakeIn(further, store, sink), sink);
            }
        }

        foreach (RunDirectory directory in sources.Count == 0 ? store.Runs() : touched.DistinctBy(d => d.Path))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (Attempt(() => Complete(directory, sink), sink) is { } row)
            {
                sink.Object(row);
            }
        }
    }

    private static T? Attempt<T>(Func<T?> action, IPipelineSink sink)
        where T : class
    {
        try
        {
            return action();
        }
        catch (SparseFrontierException e) when (e.ErrorId != ErrorIds.ResultWriteFailed)
        {
            sink.Error(e);
            return null;
        }
    }

    private static IReadOnlyList<string> Expand(string path) =>
        NameMatcher.IsPattern(path) ? [.. PathPattern.Expand(path)] :
        Directory.Exists(path) ? [path] :
        throw new SparseFrontierException(ErrorIds.FileNotFound, $"There is no folder of results '{path}'.", path);

    /// <summary>Adds a run of another folder; null if the directory is no run's.</summary>
    private static RunDirectory? TakeIn(RunDirectory source, ResultStore store, IPipelineSink sink)
    {
        if (source.ReadSpecification() is not { } specification)
        {
            return null;
        }

        source.OwnFiles();
        StoredCalibration? calibration = source.ReadCalibration();
        store.Prepare();
        SortedDictionary<int, SampleResult> offered = source.ReadSamples(specification.RunId, sink.Warning);
        RunDirectory target = store.FindOrCreate(specification);
        using RunClaim claim = RunClaim.Take(target.Path);
        SortedDictionary<int, SampleResult> present = target.ReadSamples(specification.RunId, sink.Warning);
        foreach ((int index, SampleResult sample) in offered)
        {
            RunDirectory.RequireAgreement(sample, present.GetValueOrDefault(index), source.Path);
        }

        SampleResult[] missing = [.. offered.Values.Where(s => !present.TryGetValue(s.Index, out SampleResult? held) || (held.FirstDivergentToken is null && s.FirstDivergentToken is not null))];
        if (missing.Length > 0)
        {
            using var file = SampleFile.CreateNext(target.Path, othersMayWrite: false);
            foreach (SampleResult sample in missing)
            {
                file.Append(sample);
            }

            target.AddAttempts(source.ReadAttempts(), file.Name);
        }

        StoredSpecification known = target.ReadSpecification() ?? specification;
        if (specification.Specification.SampleCount > known.Specification.SampleCount)
        {
            target.WriteSpecification(specification.With(known.CreatedAt));
        }

        if (source.ReadSummary() is { Status: RunStatus.Infeasible } infeasible && target.ReadSummary() is null)
        {
            target.WriteSummary(infeasible);
        }

        if (calibration is not null && !File.Exists(target.File("calibration.json")))
        {
            StoreIO.ReplaceJson(target.File("calibration.json"), calibration);
        }

        return target;
    }

    /// <summary>Writes the summary of a run whose samples are all there, and returns its row. All attempts are compared, whether there is a summary or not.</summary>
    private static SparseAttentionResult? Complete(RunDirectory directory, IPipelineSink sink)
    {
        if (directory.ReadSpecification() is not { } specification)
        {
            return null;
        }

        SortedDictionary<int, SampleResult> samples = directory.ReadSamples(specification.RunId, sink.Warning);
        SparseAttentionResult? summary = directory.ReadSummary();
        int count = specification.Specification.SampleCount;
        bool isComplete = Enumerable.Range(0, count).All(samples.ContainsKey);
        if (isComplete && summary?.SampleCount != count && summary?.Status != RunStatus.Infeasible)
        {
            using RunClaim claim = RunClaim.Take(directory.Path);
            directory.WriteSummary(RunSummary.Create(specification, [.. samples.Values.Where(s => s.Index < count)], RunStatus.Completed));
        }
        else if (summary is null)
        {
            sink.Warning(FormattableString.Invariant(
                $"{specification.Specification.Method}+{specification.Specification.DecodeMethod} in '{directory.Path}' has {samples.Count} of {Counted.Of(count, "sample")}: run or submit it again to go on."));
        }

        // Lines that are no samples were told of above.
        return directory.ReadRow(summary is null ? _ => { } : sink.Warning);
    }
}
