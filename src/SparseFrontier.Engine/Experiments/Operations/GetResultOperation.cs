namespace SparseFrontier.Experiments.Operations;

/// <summary>Reads results: a row of each run, or its samples. Damaged files are warned of and skipped.</summary>
public sealed class GetResultOperation
{
    /// <summary>Folders of results or of single runs; wildcards match. Empty: the default folder.</summary>
    public IReadOnlyList<string> Path { get; init; } = [];

    /// <summary>Run ids; wildcards match. Empty: all. So with the following.</summary>
    public IReadOnlyList<string> RunId { get; init; } = [];

    /// <summary>Prefill methods, or decode methods of runs with a dense prefill.</summary>
    public IReadOnlyList<string> Method { get; init; } = [];

    /// <summary>Decode methods.</summary>
    public IReadOnlyList<string> DecodeMethod { get; init; } = [];

    /// <summary>Tasks.</summary>
    public IReadOnlyList<string> Task { get; init; } = [];

    /// <summary>Models.</summary>
    public IReadOnlyList<string> Model { get; init; } = [];

    /// <summary>Lengths.</summary>
    public IReadOnlyList<int> SequenceLength { get; init; } = [];

    /// <summary>States.</summary>
    public IReadOnlyList<RunStatus> Status { get; init; } = [];

    /// <summary>Only runs started after.</summary>
    public DateTimeOffset? After { get; init; }

    /// <summary>Whether to emit <see cref="SampleResult"/> rows instead of runs.</summary>
    public bool Sample { get; init; }

    /// <summary>Emits the rows, oldest run first.</summary>
    /// <exception cref="SparseFrontierException">FileNotFound: a path without wildcards that is not there. A run id without wildcards that is not there is the error RunNotFound on the sink.</exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken) => throw new NotImplementedException();
}
