using System.Text.Json;
using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Operations;

namespace SparseFrontier.Reporting.Findings;

/// <summary>Emits the findings of both series as one page of markdown.</summary>
public sealed class WriteFindingPageOperation
{
    /// <summary>Rows, dense ones and controls among them; their samples must be here.</summary>
    public required IReadOnlyList<SparseAttentionResult> Results { get; init; }

    /// <summary>Rows of patterns for the first table.</summary>
    public IReadOnlyList<AttentionPattern> Pattern { get; init; } = [];

    /// <summary>Files of such rows as JSON lines, besides; compressed with gzip or Brotli where their names say so.</summary>
    public IReadOnlyList<string> PatternPath { get; init; } = [];

    /// <summary>Emits the page.</summary>
    /// <exception cref="SparseFrontierException">FileNotFound, ResultUnreadable, ResultRowInvalid: a file of patterns. As <see cref="GetFindingOperation"/>.</exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(sink);
        AttentionPattern[] patterns = [.. Pattern, .. PatternPath.SelectMany(Read)];
        SparsityFinding[][] series = [.. GetFindingOperation.SeriesNames.Select(name => Findings(name, sink, cancellationToken))];
        sink.Object(FindingPage.Write(series[0], series[1], Results, patterns));
    }

    private SparsityFinding[] Findings(string series, IPipelineSink sink, CancellationToken cancellationToken)
    {
        var findings = new List<SparsityFinding>();
        new GetFindingOperation { Results = Results, Series = series }.Execute(new CollectingSink<SparsityFinding>(sink, findings), cancellationToken);
        return [.. findings];
    }

    private static AttentionPattern[] Read(string path)
    {
        byte[] content = StoreIO.ReadAll(path) ?? throw new SparseFrontierException(ErrorIds.FileNotFound, $"There is no file '{path}'.", path);
        byte[] bytes = ResultSummaryFile.Unpacked(content, path);
        try
        {
            return [.. System.Text.Encoding.UTF8.GetString(bytes).Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
                .Select(line => JsonSerializer.Deserialize<AttentionPattern>(line, StoreJson.Line) ?? throw new JsonException("a line holds null."))];
        }
        catch (JsonException e)
        {
            throw new SparseFrontierException(ErrorIds.ResultRowInvalid, $"'{path}' does not hold rows of patterns, one as JSON a line, as `pattern --json` writes them: {e.Message}", path, e);
        }
    }
}
