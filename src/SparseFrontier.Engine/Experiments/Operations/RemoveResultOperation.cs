namespace SparseFrontier.Experiments.Operations;

/// <summary>Removes stored runs with their samples.</summary>
public sealed class RemoveResultOperation
{
    // Not a run's folder, so that what a crash leaves in it is never read as one.
    private const string Removed = ".removed";

    /// <summary>Ids of the runs; wildcards match.</summary>
    public required IReadOnlyList<string> RunId { get; init; }

    /// <summary>Folder of results, or of the run itself. Empty: the default folder.</summary>
    public string ResultPath { get; init; } = "";

    /// <summary>
    /// Removes the runs, each after the sink has agreed, and emits their rows. A run's folder is moved aside first, so that it goes as a whole even if this
    /// process dies; what one that died left aside goes with the next. What cannot be removed is an error on the sink, and the others go: RunBusy while a process
    /// works on it, ResultWriteFailed; RunNotFound for an id without wildcards that is not there.
    /// </summary>
    /// <exception cref="SparseFrontierException">FileNotFound: there is no such folder. ParameterInvalid: it is a file of rows.</exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        if (ResultSummaryFile.IsSummary(ResultPath))
        {
            throw new SparseFrontierException(
                ErrorIds.ParameterInvalid, $"'{ResultPath}' is a file of rows, and runs are removed from folders. Without some rows it is written anew: Get-SparseAttentionResult FILE | Where-Object ... | Export-SparseAttentionResult OTHER.", ResultPath);
        }

        var rows = new List<SparseAttentionResult>();
        new GetResultOperation { Path = ResultPath.Length > 0 ? [ResultPath] : [], RunId = RunId }.Execute(new CollectingSink<SparseAttentionResult>(sink, rows), cancellationToken);
        foreach (SparseAttentionResult row in rows)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (!sink.ShouldProcess(row.Path!, FormattableString.Invariant($"Remove run {row.RunId} with {Counted.Of(row.SampleCount, "sample")}")))
            {
                continue;
            }

            try
            {
                Remove(row.Path!);
                sink.Object(row);
            }
            catch (SparseFrontierException e)
            {
                sink.Error(e);
            }
        }
    }

    private static void Remove(string directory)
    {
        using (RunClaim.Take(directory))
        {
            StoreIO.Write(directory, () =>
            {
                string aside = Path.Combine(Path.GetDirectoryName(directory)!, Removed);
                Directory.CreateDirectory(aside);
                string target = Path.Combine(aside, $"{Path.GetFileName(directory)}.{Guid.NewGuid():N}");
                Directory.Move(directory, target);
                try
                {
                    Directory.Delete(aside, recursive: true);
                }
                catch (IOException) when (!Directory.Exists(target))
                {
                    // Another process removes runs at the same time: this one is gone.
                }
            });
        }
    }
}
