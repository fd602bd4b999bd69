using SparseFrontier.Experiments;

namespace SparseFrontier.Tests.Experiments;

/// <summary>Keeps what an operation sends.</summary>
internal sealed class RecordingSink : IPipelineSink
{
    public List<object> Objects { get; } = [];

    public List<SparseFrontierException> Errors { get; } = [];

    public List<string> Warnings { get; } = [];

    public List<string> Decisions { get; } = [];

    public List<ProgressUpdate> Updates { get; } = [];

    public List<string> Asked { get; } = [];

    /// <summary>Answer to every question.</summary>
    public bool Process { get; init; } = true;

    /// <summary>Whether questions are worth words.</summary>
    public bool ShowsQuestions { get; init; } = true;

    /// <summary>Called with every object.</summary>
    public Action<object>? OnObject { get; init; }

    public IReadOnlyList<SparseAttentionResult> Rows => [.. Objects.OfType<SparseAttentionResult>()];

    public void Object(object value)
    {
        Objects.Add(value);
        OnObject?.Invoke(value);
    }

    public void Error(SparseFrontierException error) => Errors.Add(error);

    public void Warning(string message) => Warnings.Add(message);

    public void Verbose(string message) => Decisions.Add(message);

    public void Information(string message)
    {
    }

    public void Progress(ProgressUpdate update) => Updates.Add(update);

    public bool ShouldProcess(string target, string action)
    {
        Asked.Add($"{action}: {target}");
        return Process;
    }
}
