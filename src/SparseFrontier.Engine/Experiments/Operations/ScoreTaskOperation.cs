using System.Text.Json;
using System.Text.Json.Serialization;
using SparseFrontier.Tasks;

namespace SparseFrontier.Experiments.Operations;

/// <summary>Scores responses: one JSON object <c>{"gold": {...}, "response": "..."}</c> a line in, one <see cref="ScoredResponse"/> each out.</summary>
public sealed class ScoreTaskOperation
{
    /// <summary>Task.</summary>
    public required string Task { get; init; }

    /// <summary>Lines to read; empty ones are passed over.</summary>
    public required TextReader Input { get; init; }

    /// <summary>Whether to score as the paper's code does, defects included.</summary>
    public bool ReferenceScoring { get; init; }

    /// <summary>Emits the score of every line.</summary>
    /// <exception cref="SparseFrontierException">TaskNotFound; TaskDataInvalid: a line is not such an object.</exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        EvaluationTask task = TaskRegistry.Find(Task);
        for (int number = 1; Input.ReadLine() is { } line; number++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (line.Length > 0)
            {
                (string gold, string response) = Parse(line, number);
                TaskScore score = task.Score(gold, response, ReferenceScoring);
                sink.Object(new ScoredResponse(score.Score, score.FormatFailure));
            }
        }
    }

    private static (string Gold, string Response) Parse(string line, int number)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(line);
            JsonElement row = document.RootElement;
            return (row.GetProperty("gold").GetRawText(), row.GetProperty("response").GetString() ?? "");
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new SparseFrontierException(
                ErrorIds.TaskDataInvalid, $"Line {number} is not an object such as {{\"gold\": {{...}}, \"response\": \"...\"}}: {e.Message}", line, e);
        }
    }
}

/// <summary>The score of a response.</summary>
/// <param name="Score">0 to 1; null where the reference leaves the sample out.</param>
/// <param name="FormatFailure">null, or the kind of failure.</param>
public sealed record ScoredResponse(
    [property: JsonPropertyName("score")] double? Score,
    [property: JsonPropertyName("formatFailure")] string? FormatFailure);
