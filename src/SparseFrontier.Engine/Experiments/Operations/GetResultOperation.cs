namespace SparseFrontier.Experiments.Operations;

/// <summary>Reads results: a row of each run, or its samples. Damaged files are warned of and skipped.</summary>
public sealed class GetResultOperation
{
    /// <summary>Folders of results or of single runs, wildcards match, and files of rows that <see cref="ExportResultOperation"/> wrote. Empty: the default folder.</summary>
    public IReadOnlyList<string> Path { get; init; } = [];

    /// <summary>Run ids; wildcards match. Empty: all. So with the following.</summary>
    public IReadOnlyList<string> RunId { get; init; } = [];

    /// <summary>Prefill methods, or decode methods of runs with a dense prefill.</summary>
    public IReadOnlyList<string> Method { get; init; } = [];

    /// <summary>Decode methods.</summary>
    public IReadOnlyList<string> DecodeMethod { get; init; } = [];

    /// <summary>Tasks.</summary>
    public IReadOnlyList<string> Task { get; init; } = [];

    /// <summary>Models.</summary>
    public IReadOnlyList<string> Model { get; init; } = [];

    /// <summary>Lengths.</summary>
    public IReadOnlyList<int> SequenceLength { get; init; } = [];

    /// <summary>States.</summary>
    public IReadOnlyList<RunStatus> Status { get; init; } = [];

    /// <summary>Only runs started after.</summary>
    public DateTimeOffset? After { get; init; }

    /// <summary>Whether to emit <see cref="SampleResult"/> rows instead of runs.</summary>
    public bool Sample { get; init; }

    /// <summary>Emits the rows of folders, oldest run first, and those of files in their order.</summary>
    /// <exception cref="SparseFrontierException">ResultUnreadable, ResultRowInvalid: a file of rows is damaged. FileNotFound: a path without wildcards that is not there. A run id without wildcards that is not there is the error RunNotFound on the sink.</exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        var missing = new HashSet<string>(RunId.Where(id => !NameMatcher.IsPattern(id)), StringComparer.OrdinalIgnoreCase);
        foreach (RunDirectory directory in Folders().SelectMany(f => new ResultStore(f).Runs()).DistinctBy(d => d.Path))
        {
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                SparseAttentionResult? row = directory.ReadRow(sink.Warning);
                if (row is null)
                {
                    continue;
                }

                missing.RemoveWhere(id => NameMatcher.Matches(row.RunId, id));
                if (Matches(row))
                {
                    Emit(directory, row, sink);
                }
            }
            catch (SparseFrontierException e) when (e.ErrorId is ErrorIds.ResultRowInvalid or ErrorIds.ResultUnreadable)
            {
                sink.Warning($"{e.ErrorId}: {e.Message} The run is left out.");
            }
        }

        foreach (SparseAttentionResult row in Path.Where(ResultSummaryFile.IsSummary).SelectMany(p => ResultSummaryFile.Read(p).Rows))
        {
            cancellationToken.ThrowIfCancellationRequested();
            missing.RemoveWhere(id => NameMatcher.Matches(row.RunId, id));
            if (!Matches(row))
            {
                continue;
            }

            foreach (object item in Sample ? row.Samples!.Cast<object>() : [row])
            {
                sink.Object(item);
            }
        }

        foreach (string id in missing)
        {
            sink.Error(new SparseFrontierException(ErrorIds.RunNotFound, $"There is no run '{id}' in {string.Join(", ", Folders().Concat(Path.Where(ResultSummaryFile.IsSummary)).Select(f => $"'{f}'"))}.", id));
        }
    }

    private void Emit(RunDirectory directory, SparseAttentionResult row, IPipelineSink sink)
    {
        if (!Sample)
        {
            sink.Object(row);
            return;
        }

        // The row has reported damaged lines already where it was made from the samples; a finished run's lines are read here first.
        Action<string> damaged = row.Status is RunStatus.Completed or RunStatus.Infeasible ? sink.Warning : _ => { };
        foreach (SampleResult sample in directory.ReadSamples(row.RunId, damaged).Values)
        {
            sink.Object(sample);
        }
    }

    private bool Matches(SparseAttentionResult row) =>
        Any(RunId, row.RunId)
        && (Any(Method, row.Method) || (row.Method == "Dense" && Any(Method, row.DecodeMethod)))
        && Any(DecodeMethod, row.DecodeMethod)
        && Any(Task, row.Task)
        && Any(Model, row.Model)
        && (SequenceLength.Count == 0 || SequenceLength.Contains(row.SequenceLength))
        && (Status.Count == 0 || Status.Contains(row.Status))
        && (After is null || row.StartedAt > After);

    private List<string> Folders()
    {
        var folders = new List<string>();
        foreach (string path in Path.DefaultIfEmpty(ResultStore.DefaultPath))
        {
            if (NameMatcher.IsPattern(path))
            {
                folders.AddRange(PathPattern.Expand(path));
            }
            else if (Directory.Exists(path))
            {
                folders.Add(path);
            }
            else if (!ResultSummaryFile.IsSummary(path))
            {
                throw new SparseFrontierException(
                    ErrorIds.FileNotFound,
                    Path.Count == 0
                        ? $"There is no folder of results '{System.IO.Path.GetFullPath(path)}', where they are looked for if no other is named. Name one, or set SPARSEFRONTIER_RESULTS."
                        : $"There is no folder of results '{path}', nor a file of rows (.jsonl, .jsonl.gz, .jsonl.br) of that name.",
                    path);
            }
        }

        return folders;
    }

    private static bool Any(IReadOnlyList<string> patterns, string name) => patterns.Count == 0 || patterns.Any(p => NameMatcher.Matches(name, p));
}
