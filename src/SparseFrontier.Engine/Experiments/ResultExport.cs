using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace SparseFrontier.Experiments;

/// <summary>
/// Results without what may differ between two executions of the same runs (times, hosts, paths, memory, attempts), in a fixed order: equal
/// answers give equal bytes.
/// </summary>
public static class ResultExport
{
    private static readonly string[] s_executionFields =
    [
        nameof(SampleResult.PrefillSeconds), nameof(SampleResult.PrefillIndexSeconds), nameof(SampleResult.PrefillAttentionSeconds),
        nameof(SampleResult.IndexSeconds), nameof(SampleResult.AttentionSeconds),
        nameof(SampleResult.DecodeSeconds), nameof(SampleResult.ElapsedSeconds), nameof(SampleResult.Joules), nameof(SampleResult.PeakMemoryBytes),
        nameof(SampleResult.PrefillShared), nameof(SampleResult.SequencesPerStep), nameof(SampleResult.Device),
        nameof(SparseAttentionResult.StartedAt), nameof(SparseAttentionResult.ModuleVersion), nameof(SparseAttentionResult.Path),
    ];

    private static readonly string[] s_comparisonFields = [nameof(SampleResult.FirstDivergentToken), nameof(SampleResult.DivergenceToDense)];

    /// <summary>One JSON line a row and a sample, runs by id and samples by index.</summary>
    /// <param name="resultPath">A folder of results.</param>
    /// <exception cref="SparseFrontierException">ResultUnreadable, ResultRowInvalid: the export must be complete, so damage is an error here.</exception>
    public static string Canonical(string resultPath)
    {
        var text = new StringBuilder();
        var runs = new ResultStore(resultPath).Runs()
            .Select(d => (Directory: d, Specification: d.ReadSpecification()!))
            .Where(r => r.Specification is not null)
            .OrderBy(r => r.Specification.RunId, StringComparer.Ordinal);
        foreach ((RunDirectory directory, StoredSpecification specification) in runs)
        {
            text.Append(Answer(directory.ReadRow(Refuse)!, s_executionFields)).Append('\n');
            foreach (SampleResult sample in directory.ReadSamples(specification.RunId, Refuse).Values)
            {
                text.Append(Answer(sample, s_executionFields)).Append('\n');
            }
        }

        return text.ToString();
    }

    /// <summary>
    /// What a sample says of its own run: without what may differ between two executions, and without the comparison with the dense run,
    /// which an execution lacks when no dense run was there.
    /// </summary>
    internal static string OwnAnswerOf(SampleResult sample) => Answer(sample, s_comparisonFields.Concat(s_executionFields));

    private static string Answer<T>(T row, IEnumerable<string> without)
    {
        JsonObject node = JsonSerializer.SerializeToNode(row, StoreJson.Line)!.AsObject();
        foreach (string field in without)
        {
            node.Remove(field);
        }

        return node.ToJsonString();
    }

    private static void Refuse(string message) => throw new SparseFrontierException(ErrorIds.ResultRowInvalid, message);
}
