using SparseFrontier.Experiments;

namespace SparseFrontier.Fuzz;

/// <summary>Counts what an operation sends.</summary>
internal sealed class FuzzSink : IPipelineSink
{
    public List<object> Objects { get; } = [];

    /// <summary>Ids of errors, and how many objects and warnings there were.</summary>
    public int Outcome { get; private set; }

    public void Object(object value)
    {
        Objects.Add(value);
        Outcome = HashCode.Combine(Outcome, value.GetType().Name.Length);
    }

    public void Error(SparseFrontierException error) => Outcome = HashCode.Combine(Outcome, Outcomes.Of(error));

    public void Warning(string message) => Outcome = HashCode.Combine(Outcome, Outcomes.Shape(message));

    public void Verbose(string message)
    {
    }

    public void Information(string message)
    {
    }

    public void Progress(ProgressUpdate update)
    {
    }

    public bool ShouldProcess(string target, string action) => true;
}
