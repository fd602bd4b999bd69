namespace SparseFrontier.Experiments.Operations;

/// <summary>Writes rows with the scores of their samples as one small file, which every analysis reads like a folder of results (<see cref="GetResultOperation"/>).</summary>
public sealed class ExportResultOperation
{
    /// <summary>Rows; scores of their samples are read from where they name.</summary>
    public required IReadOnlyList<SparseAttentionResult> Results { get; init; }

    /// <summary>File to write: .jsonl, or .jsonl.gz or .jsonl.br to have it compressed.</summary>
    public required string Path { get; init; }

    /// <summary>Whether a file that is there is replaced.</summary>
    public bool Force { get; init; }

    /// <summary>Writes, and emits the <see cref="FileInfo"/>.</summary>
    /// <exception cref="SparseFrontierException">
    /// OutputFileExists. ParameterInvalid: a name that readers do not take. DataInsufficient: no rows, or a row with a score whose samples are not here. ResultWriteFailed.
    /// </exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(sink);
        if (Results.Count == 0)
        {
            throw new SparseFrontierException(ErrorIds.DataInsufficient, "There are no rows to write. Read them with Get-SparseAttentionResult.", Path);
        }

        if (!ResultSummaryFile.HasName(Path))
        {
            throw new SparseFrontierException(ErrorIds.ParameterInvalid, $"'{Path}' does not end with .jsonl, .jsonl.gz or .jsonl.br, by which a file of rows is known.", Path);
        }

        if (File.Exists(Path) && !Force)
        {
            throw new SparseFrontierException(ErrorIds.OutputFileExists, $"'{Path}' is there already. Name another file, or replace it with -Force (--force).", Path);
        }

        if (sink.ShouldProcess(Path, FormattableString.Invariant($"Write {Counted.Of(Results.Count, "row")} with the scores of their samples")))
        {
            cancellationToken.ThrowIfCancellationRequested();
            ResultSummaryFile.Write(Path, [.. Results.DistinctBy(r => r.RunId)]);
            sink.Object(new FileInfo(Path));
        }
    }
}
