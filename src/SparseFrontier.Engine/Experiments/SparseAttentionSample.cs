namespace SparseFrontier;

/// <summary>One sample of a task as a model is asked it, as <c>New-SparseAttentionSample</c> makes it. The same task, length, seed and model give the same bytes.</summary>
public sealed class SparseAttentionSample
{
    /// <summary>Task.</summary>
    public string Task { get; init; } = "";

    /// <summary>Name of the model whose chat template and tokenizer the prompt is made with.</summary>
    public string Model { get; init; } = "";

    /// <summary>Length asked for, in tokens.</summary>
    public int SequenceLength { get; init; }

    /// <summary>Seed.</summary>
    public long Seed { get; init; }

    /// <summary>Number of the sample, from 0.</summary>
    public int Index { get; init; }

    /// <summary>Tokens of the templated prompt.</summary>
    public int PromptTokens { get; init; }

    /// <summary>Parameters of the task that were given, "Name=value;Name=value".</summary>
    public string TaskParameters { get; init; } = "";

    /// <summary>The templated prompt.</summary>
    public string Prompt { get; init; } = "";

    /// <summary>What the scorer compares a response with, as JSON.</summary>
    public string GoldJson { get; init; } = "";

    /// <summary>A response that scores 1.</summary>
    public string TargetResponse { get; init; } = "";

    /// <inheritdoc/>
    public override string ToString() => FormattableString.Invariant($"{Task}@{SequenceLength} seed {Seed} [{Index}]");
}
