using System.Globalization;
using SparseFrontier.Experiments.Import;

namespace SparseFrontier.Experiments.Operations;

/// <summary>
/// Reads results of other programs, writes them into a folder of results and emits their rows, which are then like all others. What their files do not tell
/// stays null: measured sparsities and all times and costs.
/// </summary>
public sealed class ImportResultOperation
{
    /// <summary>Files, or folders that are searched for them.</summary>
    public required IReadOnlyList<string> Path { get; init; }

    /// <summary>Program that wrote them.</summary>
    public ResultFormat Format { get; init; }

    /// <summary>Folder of results to write to; empty: the default one.</summary>
    public string ResultPath { get; init; } = "";

    /// <summary>Prefill method, or a decode method after a dense prefill, where the files do not say it.</summary>
    public string Method { get; init; } = "";

    /// <summary>Decode method, where the files do not say it.</summary>
    public string DecodeMethod { get; init; } = "";

    /// <summary>Sparsity asked of the prefill method, or of the decode method where that is the only sparse one, 0 to below 1.</summary>
    public double? Sparsity { get; init; }

    /// <summary>Sparsity asked of the decode method where both phases are sparse.</summary>
    public double? DecodeSparsity { get; init; }

    /// <summary>Prompt tokens where the files name none; 0: not known.</summary>
    public int SequenceLength { get; init; }

    /// <summary>Metrics to take as the score, the first that a task has, as "name" or "name:filter"; empty: the only one.</summary>
    public IReadOnlyList<string> Metric { get; init; } = [];

    /// <summary>Emits a row of each run. A file that cannot be imported is an error on the sink, and the others go on.</summary>
    /// <exception cref="SparseFrontierException">FileNotFound, ParameterInvalid, SparsityOutOfRange, ResultWriteFailed; DataInsufficient: a folder holds no results of a known program.</exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(sink);
        Require();
        var options = new ImportOptions(Method, DecodeMethod, Sparsity, DecodeSparsity, SequenceLength, Metric, sink.Error, sink.Warning);
        var store = new ResultStore(ResultPath);
        List<SparseAttentionResult> rows = [];
        foreach ((string file, ResultFormat format) in Path.SelectMany(Files).DistinctBy(f => f.File))
        {
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                foreach (ImportedRun run in Read(file, format, options))
                {
                    if (sink.ShouldProcess(store.Path, string.Create(CultureInfo.InvariantCulture, $"Import {run.Task} by {run.Program} from '{run.Source}'")))
                    {
                        SparseAttentionResult row = ImportedRunStore.Write(store, run);
                        rows.Add(row);
                        sink.Object(row);
                    }
                }
            }
            catch (SparseFrontierException e) when (e.ErrorId is ErrorIds.ResultRowInvalid or ErrorIds.ResultUnreadable or ErrorIds.FileNotFound or ErrorIds.ParameterInvalid)
            {
                sink.Error(e);
            }
        }

        SayWhatIsMissing(rows, sink);
    }

    private static void SayWhatIsMissing(List<SparseAttentionResult> rows, IPipelineSink sink)
    {
        if (rows.Count == 0)
        {
            return;
        }

        int unpaired = rows.Count(r => Directory.GetFiles(r.Path!, "samples-*.jsonl").Length == 0);
        int unknown = rows.Count(r => r.SequenceLength == 0);
        string message = string.Create(CultureInfo.InvariantCulture, $"{Counted.Of(rows.Count, "imported row has", "imported rows have")} no measured sparsity of their sparse phases, no times and no memory: the files do not hold them. Analyses take the nominal sparsity and say so.");
        sink.Warning(message
            + (unpaired == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $" {Counted.Of(unpaired, "has", "have")} no scores of samples: comparisons sample by sample, such as tolerance by non-inferiority, leave them out."))
            + (unknown == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $" {unknown} are of unknown length and have 0 tokens: give the length if you know it.")));
    }

    private void Require()
    {
        foreach (double? sparsity in (double?[])[Sparsity, DecodeSparsity])
        {
            if (sparsity is not (null or (>= 0 and < 1)))
            {
                throw new SparseFrontierException(ErrorIds.SparsityOutOfRange, FormattableString.Invariant($"A sparsity of {sparsity} is not from 0 to below 1: it is the share left out, 0.95 for 95 %."), sparsity);
            }
        }

        if (SequenceLength < 0)
        {
            throw new SparseFrontierException(ErrorIds.SequenceLengthInvalid, FormattableString.Invariant($"A length of {SequenceLength} tokens is none: it is from 1."), SequenceLength);
        }
    }

    private static IEnumerable<ImportedRun> Read(string file, ResultFormat format, ImportOptions options) => format switch
    {
        ResultFormat.KVPress => KVPressResults.Read(file, options),
        ResultFormat.SparseFrontierReference => [ReferenceResults.Read(file, options)],
        _ => LmEvaluationHarnessResults.Read(file, ImportFiles.Json(file), options),
    };

    private IEnumerable<(string File, ResultFormat Format)> Files(string path)
    {
        string full = System.IO.Path.GetFullPath(path);
        if (File.Exists(full))
        {
            return [(FiguresOf(full), Format != ResultFormat.Auto ? Format : FormatOf(full) ?? ResultFormat.LmEvaluationHarness)];
        }

        if (!Directory.Exists(full))
        {
            throw new SparseFrontierException(ErrorIds.FileNotFound, $"There is no file or folder '{path}'.", path);
        }

        (string, ResultFormat)[] found =
        [
            .. PlainFile.Enumerate(full, "*.json").Order(StringComparer.Ordinal)
                .Select(f => (File: f, Format: FormatOf(f))).Where(f => f.Format is { } known && (Format == ResultFormat.Auto || known == Format)).Select(f => (f.File, f.Format!.Value)),
        ];
        return found.Length > 0
            ? found
            : throw new SparseFrontierException(
                ErrorIds.DataInsufficient,
                $"'{path}' holds no results {(Format == ResultFormat.Auto ? "of a known program" : $"of the format {Format}")}: results_*.json of lm-evaluation-harness, metrics.json with config.yaml of kvpress, or evaluation_results_*.json of The Sparse Frontier.",
                path);
    }

    // Any file of a kvpress evaluation stands for all of it.
    private static string FiguresOf(string file)
    {
        string figures = System.IO.Path.Combine(System.IO.Path.GetDirectoryName(file)!, KVPressResults.MetricsName);
        return System.IO.Path.GetFileName(file) is KVPressResults.ConfigurationName or "predictions.csv" && File.Exists(figures) ? figures : file;
    }

    private static ResultFormat? FormatOf(string file)
    {
        string name = System.IO.Path.GetFileName(file);
        if (ReferenceResults.Matches(file))
        {
            return ResultFormat.SparseFrontierReference;
        }

        if (name is KVPressResults.MetricsName or KVPressResults.ConfigurationName or "predictions.csv")
        {
            return File.Exists(System.IO.Path.Combine(System.IO.Path.GetDirectoryName(file)!, KVPressResults.ConfigurationName)) ? ResultFormat.KVPress : null;
        }

        return name.StartsWith("results", StringComparison.Ordinal) ? ResultFormat.LmEvaluationHarness : null;
    }
}
