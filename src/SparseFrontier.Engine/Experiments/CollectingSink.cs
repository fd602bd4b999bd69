namespace SparseFrontier.Experiments;

/// <summary>Keeps what an operation emits for another operation; errors, messages and questions go on.</summary>
/// <param name="inner">Where they go.</param>
/// <param name="items">What was emitted.</param>
internal sealed class CollectingSink<T>(IPipelineSink inner, List<T> items) : IPipelineSink
{
    public bool ShowsQuestions => inner.ShowsQuestions;

    public void Object(object value) => items.Add((T)value);

    public void Error(SparseFrontierException error) => inner.Error(error);

    public void Warning(string message) => inner.Warning(message);

    public void Verbose(string message) => inner.Verbose(message);

    public void Information(string message) => inner.Information(message);

    public void Progress(ProgressUpdate update) => inner.Progress(update);

    public bool ShouldProcess(string target, string action) => inner.ShouldProcess(target, action);
}
