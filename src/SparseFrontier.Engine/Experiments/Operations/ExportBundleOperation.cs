namespace SparseFrontier.Experiments.Operations;

/// <summary>Writes runs with all that was stored of them as one file, which <see cref="ImportBundleOperation"/> checks and scores again without a model.</summary>
public sealed class ExportBundleOperation
{
    /// <summary>Rows of the runs; their samples are read from the folders that the rows name.</summary>
    public required IReadOnlyList<SparseAttentionResult> Results { get; init; }

    /// <summary>File to write.</summary>
    public required string Path { get; init; }

    /// <summary>Whether a file that is there is replaced.</summary>
    public bool Force { get; init; }

    /// <summary>Writes, and emits the <see cref="SparseAttentionBundle"/>.</summary>
    /// <exception cref="SparseFrontierException">
    /// OutputFileExists. DataInsufficient: no rows, a row that names no folder, or two folders of one run. ResultRowInvalid, ResultUnreadable: a bundle is whole, so damage
    /// is an error here. ResultWriteFailed.
    /// </exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(sink);
        if (Results.Count == 0)
        {
            throw new SparseFrontierException(ErrorIds.DataInsufficient, "There are no runs to bundle. Read them with Get-SparseAttentionResult.", Path);
        }

        if (File.Exists(Path) && !Force)
        {
            throw new SparseFrontierException(ErrorIds.OutputFileExists, $"'{Path}' is there already. Name another file, or replace it with -Force (--force).", Path);
        }

        var runs = new SortedDictionary<string, RunDirectory>(StringComparer.Ordinal);
        int samples = 0;
        foreach (SparseAttentionResult row in Results.DistinctBy(r => (r.RunId, r.Path)))
        {
            cancellationToken.ThrowIfCancellationRequested();
            RunDirectory directory = Find(row);
            if (!runs.TryAdd(row.RunId, directory))
            {
                throw new SparseFrontierException(
                    ErrorIds.DataInsufficient, $"Run {row.RunId} is in '{runs[row.RunId].Path}' and in '{directory.Path}'. Select one of them.", row.RunId);
            }

            samples += directory.ReadSamples(row.RunId, message => throw new SparseFrontierException(ErrorIds.ResultRowInvalid, message, directory.Path)).Count;
            if (row.Status is not (RunStatus.Completed or RunStatus.Infeasible))
            {
                sink.Warning($"Run {row.RunId} ({row}) is {row.Status}; the bundle holds what there is of it.");
            }
        }

        if (sink.ShouldProcess(Path, FormattableString.Invariant($"Write a bundle of {Counted.Of(runs.Count, "run")}")))
        {
            string id = BundleWriter.Write(Path, runs, cancellationToken);
            sink.Object(new SparseAttentionBundle
            {
                Path = Path,
                BundleId = id,
                RunCount = runs.Count,
                SampleCount = samples,
                SizeInBytes = new FileInfo(Path).Length,
            });
        }
    }

    private static RunDirectory Find(SparseAttentionResult row)
    {
        if (string.IsNullOrEmpty(row.Path) || !File.Exists(System.IO.Path.Combine(row.Path, "spec.json")))
        {
            throw new SparseFrontierException(
                ErrorIds.DataInsufficient,
                $"'{row}' names no folder with its samples. Bundle rows that Get-SparseAttentionResult reads.",
                row.RunId);
        }

        var directory = new RunDirectory(row.Path);
        return directory.ReadSpecification()?.RunId == row.RunId
            ? directory
            : throw new SparseFrontierException(ErrorIds.ResultRowInvalid, $"'{row.Path}' is not the folder of run {row.RunId}. Read the row again.", row.RunId);
    }
}
