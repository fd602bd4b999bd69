namespace SparseFrontier.Experiments;

/// <summary>
/// A grid of runs before it is multiplied out: every list is a dimension. An empty <see cref="Method"/> and <see cref="DecodeMethod"/> mean
/// the default comparison; other empty lists mean one default value.
/// </summary>
public sealed record SweepDefinition
{
    /// <summary>
    /// Prefill methods, or decode methods to run with a dense prefill; wildcards match all but controls. "Name;Parameter=value" sets parameters.
    /// </summary>
    public IReadOnlyList<string> Method { get; init; } = [];

    /// <summary>Decode methods to combine with every prefill method; wildcards as above.</summary>
    public IReadOnlyList<string> DecodeMethod { get; init; } = [];

    /// <summary>Checkpoint directories or names of embedded models.</summary>
    public IReadOnlyList<string> Model { get; init; } = [];

    /// <summary>Tasks; wildcards match.</summary>
    public IReadOnlyList<string> Task { get; init; } = [];

    /// <summary>Prompt lengths in tokens.</summary>
    public IReadOnlyList<int> SequenceLength { get; init; } = [];

    /// <summary>Sparsities of the prefill method, or of the decode method where that is the only sparse one; empty: budgets as the parameters say.</summary>
    public IReadOnlyList<double> Sparsity { get; init; } = [];

    /// <summary>Sparsities of the decode method.</summary>
    public IReadOnlyList<double> DecodeSparsity { get; init; } = [];

    /// <summary>
    /// "Name=value;Name=value" for every method of the sweep that has the parameter; "Method.Name=value" for one. A name that no method of the
    /// sweep has is an error.
    /// </summary>
    public string Parameter { get; init; } = "";

    /// <summary>"Name=value;Name=value" for the tasks that have the parameter.</summary>
    public string TaskParameter { get; init; } = "";

    /// <summary>Samples of each run.</summary>
    public int? SampleCount { get; init; }

    /// <summary>Output tokens at most.</summary>
    public int? MaximumOutputTokens { get; init; }

    /// <summary>Seeds.</summary>
    public IReadOnlyList<long> Seed { get; init; } = [];

    /// <summary>"Both", "First" or "Last"; empty: Both, or Last under <see cref="CompressBefore"/> Question, so that what compresses never sees the question.</summary>
    public string QuestionPosition { get; init; } = "";

    /// <summary>"None" or "Question".</summary>
    public string CompressBefore { get; init; } = "None";

    /// <summary>Layers left dense.</summary>
    public IReadOnlyList<int> DenseLayer { get; init; } = [];

    /// <summary>How budgets vary with layer, KV head, length and step, instead of <see cref="DenseLayer"/>.</summary>
    public string BudgetSchedule { get; init; } = "";

    /// <summary>Whether a length too short for a budget runs dense.</summary>
    public bool AllowDenseFallback { get; init; }

    /// <summary>Whether scores follow the paper's code.</summary>
    public bool ReferenceScoring { get; init; }

    /// <summary>Whether prompts carry the short form of the instructions.</summary>
    public bool ShortInstructions { get; init; }

    /// <summary>"cpu" or "cuda:0".</summary>
    public string Device { get; init; } = "cpu";

    /// <summary>Data file of the tasks that read one.</summary>
    public string? TaskDataPath { get; init; }

    /// <summary>A grid that has a name, restricted to the models, tasks, lengths and methods named here; null: none.</summary>
    public SweepPreset? Preset { get; init; }
}
