using System.Diagnostics;
using System.Text.Json;

namespace SparseFrontier.Experiments.Operations;

/// <summary>
/// Checks bundles, scores their stored outputs again without a model and says what differs; on request adds their runs to a folder of results.
/// </summary>
public sealed class ImportBundleOperation
{
    /// <summary>The bundles.</summary>
    public required IReadOnlyList<string> Path { get; init; }

    /// <summary>Folder of results to add the runs to; empty: none.</summary>
    public string ResultPath { get; init; } = "";

    /// <summary>Whether to emit a <see cref="RescoredSample"/> for each sample instead of a <see cref="BundledRun"/> for each run.</summary>
    public bool Sample { get; init; }

    /// <summary>Emits the runs or samples. A bundle that is refused is an error on the sink, and so is a run that the folder holds already with other content.</summary>
    /// <exception cref="SparseFrontierException">ResultWriteFailed.</exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(sink);
        foreach (string path in Path)
        {
            cancellationToken.ThrowIfCancellationRequested();
            string folder = StoreIO.Write(System.IO.Path.GetTempPath(), () => Directory.CreateTempSubdirectory("sparsefrontier-bundle-").FullName);
            try
            {
                Import(path, folder, sink, cancellationToken);
            }
            catch (SparseFrontierException e) when (e.ErrorId is ErrorIds.BundleInvalid or ErrorIds.FileNotFound or ErrorIds.ResultUnreadable or ErrorIds.ScoresInvalid)
            {
                sink.Error(e);
            }
            finally
            {
                Directory.Delete(folder, recursive: true);
            }
        }
    }

    private void Import(string path, string folder, IPipelineSink sink, CancellationToken cancellationToken)
    {
        (string bundleId, IReadOnlyList<string> ids) = BundleReader.Unpack(path, folder, cancellationToken);
        int done = 0;
        var stopwatch = Stopwatch.StartNew();
        foreach (string id in ids)
        {
            cancellationToken.ThrowIfCancellationRequested();
            sink.Progress(ProgressUpdate.At("Scoring stored outputs", $"Run {id}", done++ / (double)ids.Count, stopwatch.Elapsed));
            Rescoring run = Rescore(path, folder, id);
            BundledRun row = run.Run with { Bundle = path, BundleId = bundleId };
            if (row.Verdict != RescoringVerdict.Reproduced)
            {
                sink.Warning($"Run {id} ({row}): {row.Message}.");
            }

            if (ResultPath.Length > 0)
            {
                row = row with { Path = Add(run.Stored, System.IO.Path.Combine(folder, id), sink) };
            }

            if (Sample)
            {
                foreach (RescoredSample sample in run.Samples)
                {
                    sink.Object(sample with { Bundle = path });
                }
            }
            else
            {
                sink.Object(row);
            }
        }

        sink.Progress(new ProgressUpdate(1, "Scoring stored outputs", "Done", 100, Completed: true));
    }

    private static Rescoring Rescore(string path, string folder, string id)
    {
        try
        {
            var run = new Rescoring(new RunDirectory(System.IO.Path.Combine(folder, id)));
            return run.Stored.RunId == id
                ? run
                : throw new SparseFrontierException(ErrorIds.ResultRowInvalid, $"The files of run {id} are those of run {run.Stored.RunId}.");
        }
        catch (Exception e) when (IsOfContent(e))
        {
            string within = e.Message.Replace(folder + System.IO.Path.DirectorySeparatorChar, "", StringComparison.Ordinal);
            throw new SparseFrontierException(ErrorIds.BundleInvalid, $"Run {id} of '{path}' cannot be read: {within}", path, e);
        }
    }

    // JSON of a stranger may lack, or hold as null, whatever this program always writes.
    private static bool IsOfContent(Exception e) =>
        e is SparseFrontierException { ErrorId: ErrorIds.ResultRowInvalid } or ArgumentException or NullReferenceException or InvalidOperationException or FormatException
            or OverflowException or KeyNotFoundException or JsonException;

    // The folder of the run in the folder of results; null where it was not added.
    private string? Add(StoredSpecification stored, string source, IPipelineSink sink)
    {
        var store = new ResultStore(ResultPath);
        if (store.Find(stored.RunId) is { } there)
        {
            if (AreEqual(source, there.Path))
            {
                sink.Verbose($"Run {stored.RunId} is in '{there.Path}' already.");
                return there.Path;
            }

            sink.Error(new SparseFrontierException(
                ErrorIds.OutputFileExists, $"Run {stored.RunId} is in '{there.Path}' already, with other content. Import to another folder.", there.Path));
            return null;
        }

        if (!sink.ShouldProcess(ResultPath, $"Add run {stored.RunId} ({stored.Specification})"))
        {
            return null;
        }

        return store.Add(stored, source).Path;
    }

    private static bool AreEqual(string source, string there) => Directory.EnumerateFiles(source).All(file =>
        StoreIO.ReadAll(System.IO.Path.Combine(there, System.IO.Path.GetFileName(file))) is { } bytes && bytes.AsSpan().SequenceEqual(File.ReadAllBytes(file)));
}
