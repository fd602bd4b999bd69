namespace SparseFrontier;

/// <summary>
/// One cell of an experiment. A flat class, so that rows from JSON, CSV and hashtables bind to it. The run id is computed from
/// everything that affects an answer and nothing else.
/// </summary>
public class RunSpecification
{
    private string _device = "cpu";

    /// <summary>Checkpoint directory or the name of an embedded model; empty: the default one.</summary>
    public string Model { get; init; } = "";

    /// <summary>Prefill method; a decode method's name stands for dense prefill and that decode method.</summary>
    public string Method { get; init; } = "Dense";

    /// <summary>Decode method.</summary>
    public string DecodeMethod { get; init; } = "Dense";

    /// <summary>"Name=value;Name=value" for the prefill method, overriding defaults.</summary>
    public string Parameters { get; init; } = "";

    /// <summary>"Name=value;Name=value" for the decode method.</summary>
    public string DecodeParameters { get; init; } = "";

    /// <summary>Sparsity asked of the prefill method, or of the decode method where that is the only sparse one, 0 to below 1; null: as its parameters say.</summary>
    public double? Sparsity { get; init; }

    /// <summary>Sparsity asked of the decode method, 0 to below 1; null: as its parameters say.</summary>
    public double? DecodeSparsity { get; init; }

    /// <summary>Task.</summary>
    public string Task { get; init; } = "";

    /// <summary>"Name=value;Name=value" for the task.</summary>
    public string TaskParameters { get; init; } = "";

    /// <summary>Prompt tokens.</summary>
    public int SequenceLength { get; init; }

    /// <summary>Samples; not part of the identity.</summary>
    public int SampleCount { get; init; } = 20;

    /// <summary>Output tokens at most.</summary>
    public int MaximumOutputTokens { get; init; } = 1024;

    /// <summary>Seed of the samples.</summary>
    public long Seed { get; init; } = 43;

    /// <summary>"Both", "First" or "Last".</summary>
    public string QuestionPosition { get; init; } = "Both";

    /// <summary>"None" or "Question": the cache is compressed on the context alone and the question goes through the decode path.</summary>
    public string CompressBefore { get; init; } = "None";

    /// <summary>Layers left dense, as "0,1".</summary>
    public string DenseLayers { get; init; } = "";

    /// <summary>
    /// How budgets vary with layer, KV head, length and step (<see cref="Attention.BudgetSchedule"/>), as "layer:0-1 dense | head:3 x0.5"; empty: uniform. Stands
    /// instead of <see cref="DenseLayers"/>.
    /// </summary>
    public string BudgetSchedule { get; init; } = "";

    /// <summary>Whether a length too short for the budget runs dense instead of being infeasible.</summary>
    public bool AllowDenseFallback { get; init; }

    /// <summary>Whether scores follow the paper's code, defects included.</summary>
    public bool ReferenceScoring { get; init; }

    /// <summary>Whether prompts carry the short form of the instructions.</summary>
    public bool ShortInstructions { get; init; }

    /// <summary>"cpu" or "cuda:0"; "cuda:0,cuda:1" or "cuda:all" to spread samples over GPUs, "cuda:0+cuda:1" to spread a model's layers; not part of the identity.</summary>
    public string Device { get => _device; init => _device = value; }

    /// <summary>Path of the task's data file; its content, not its path, is part of the identity.</summary>
    public string? TaskDataPath { get; init; }

    /// <summary>The same run, computed on another device.</summary>
    public RunSpecification On(string device)
    {
        var copy = (RunSpecification)MemberwiseClone();
        copy._device = device;
        return copy;
    }

    /// <inheritdoc/>
    public override string ToString()
    {
        string sparsity = string.Join('/', new[] { Sparsity, DecodeSparsity }.OfType<double>().Select(s => FormattableString.Invariant($"{s}")));
        string[] parts =
        [
            $"{Method}+{DecodeMethod} {Task}@{SequenceLength} {Model}".TrimEnd(), sparsity.Length > 0 ? $"sparsity {sparsity}" : "", Parameters, DecodeParameters, Counted.Of(SampleCount, "sample"), $"seed {Seed}",
        ];
        return string.Join(", ", parts.Where(p => p.Length > 0));
    }
}
