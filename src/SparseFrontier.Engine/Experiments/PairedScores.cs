using SparseFrontier.Analysis;

namespace SparseFrontier.Experiments;

/// <summary>Reads the samples behind rows, once each, and pairs those of two runs.</summary>
internal sealed class PairedScores
{
    private readonly Dictionary<(string Path, string RunId), IReadOnlyList<SampleResult>> _samples = [];

    /// <summary>Whether samples of a row's run are here: with the row, in its folder or in a file of rows; imported runs have a folder and may have none.</summary>
    public static bool AreHere(SparseAttentionResult row) =>
        row.Samples is not null || (row.Path is { Length: > 0 } path && (Directory.Exists(path) ? SampleFile.List(path).Count > 0 : ResultSummaryFile.IsSummary(path)));

    /// <summary>Whether an error says that rows cannot be compared, which does not concern other rows.</summary>
    public static bool IsOfData(SparseFrontierException e) => e.ErrorId is ErrorIds.DataInsufficient or ErrorIds.ResultUnreadable or ErrorIds.ResultRowInvalid;

    /// <summary>The samples of a row, by index.</summary>
    /// <exception cref="SparseFrontierException">DataInsufficient: they are not on this disk. ResultUnreadable, ResultRowInvalid.</exception>
    public IReadOnlyList<SampleResult> Of(SparseAttentionResult row)
    {
        if (row.Samples is { } carried)
        {
            return carried;
        }

        string path = row.Path ?? "";
        if (!AreHere(row))
        {
            throw new SparseFrontierException(
                ErrorIds.DataInsufficient,
                $"The samples of '{row}' are not here, and what was asked compares runs sample by sample. "
                + (Directory.Exists(row.Path) ? $"The folder '{row.Path}' holds none." : row.Path is { Length: > 0 } ? $"There is no folder '{row.Path}'." : "Its row names no folder: read rows with Get-SparseAttentionResult or `sparsefrontier results` from the folder of the runs."),
                row.RunId);
        }

        if (!_samples.TryGetValue((path, row.RunId), out IReadOnlyList<SampleResult>? samples) && ResultSummaryFile.IsSummary(path))
        {
            foreach (SparseAttentionResult other in ResultSummaryFile.Read(path).Rows)
            {
                _samples[(path, other.RunId)] = other.Samples!;
            }

            samples = _samples.GetValueOrDefault((path, row.RunId)) ?? throw new SparseFrontierException(ErrorIds.ResultRowInvalid, $"'{path}' has no run {row.RunId}. Read the row again.", row.RunId);
        }

        if (samples is null)
        {
            samples = [.. new RunDirectory(path).ReadSamples(row.RunId, _ => { }).Values];
            _samples.Add((path, row.RunId), samples);
        }

        return samples.Count <= row.SampleCount || row.SampleCount <= 0 ? samples
            : samples is SummarySamples summary ? summary.First(row.SampleCount)
            : [.. samples.Take(row.SampleCount)];
    }

    /// <summary>P value of "the mean score of rows is at most a floor", from their samples, or of the first from its mean and standard error where samples are not here.</summary>
    /// <param name="rows">Rows of one configuration, seeds apart.</param>
    /// <param name="floor">Chance, plus a margin.</param>
    public double FloorPValue(IReadOnlyList<SparseAttentionResult> rows, double floor) => rows.All(AreHere)
        ? ChanceFloor.PValue([.. rows.SelectMany(Of).Select(s => s.Score).OfType<double>()], 1, floor)
        : ChanceFloor.PValue(rows[0], floor);

    /// <summary>The scores of the samples that all rows have, in order of index: [rows][samples].</summary>
    /// <exception cref="SparseFrontierException">DataInsufficient: fewer than two shared samples, or samples of one index that ask different questions.</exception>
    public double[][] Shared(IReadOnlyList<SparseAttentionResult> rows)
    {
        IReadOnlyList<SampleResult>[] samples = [.. rows.Select(Of)];
        bool hashed = samples.Any(s => s is SummarySamples);
        Dictionary<int, (double Score, string Gold)>[] scored = [.. samples.Select(all => all.Where(s => s.Score is not null)
            .ToDictionary(s => s.Index, s => (s.Score!.Value, hashed ? ResultSummaryFile.GoldOf(s, all) : s.GoldJson)))];
        int[] indices = [.. scored[0].Keys.Where(i => scored.All(s => s.ContainsKey(i))).Order()];
        foreach (int index in indices)
        {
            for (int row = 1; row < scored.Length; row++)
            {
                if (scored[row][index].Gold != scored[0][index].Gold)
                {
                    throw new SparseFrontierException(
                        ErrorIds.DataInsufficient, $"Sample {index} of '{rows[row]}' and of '{rows[0]}' ask different questions: they cannot be paired.", rows[row].RunId);
                }
            }
        }

        return indices.Length >= 2
            ? [.. scored.Select(s => indices.Select(i => s[i].Score).ToArray())]
            : throw new SparseFrontierException(
                ErrorIds.DataInsufficient,
                $"'{rows[0]}' and the {Counted.Of(rows.Count - 1, "run")} to compare with it share {Counted.Of(indices.Length, "scored sample")}; at least 2 are needed. Run them with the same seed and more samples.",
                rows[0].RunId);
    }
}
