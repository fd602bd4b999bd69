namespace SparseFrontier.Models.Transformer;

/// <summary>How tokens are generated.</summary>
public sealed record GenerationOptions
{
    /// <summary>Tokens at most.</summary>
    public int MaximumTokens { get; init; } = 1024;

    /// <summary>0: always the most likely token; otherwise logits are divided by it and a token is drawn.</summary>
    public double Temperature { get; init; }

    /// <summary>Draw from the fewest most likely tokens whose probabilities sum to this; 1: from all.</summary>
    public double TopP { get; init; } = 1;

    /// <summary>Draw from this many most likely tokens; 0: from all.</summary>
    public int TopK { get; init; }

    /// <summary>Token ids that end a sequence; null: those of the model.</summary>
    public IReadOnlyList<int>? StopTokens { get; init; }

    /// <summary>Refuses values out of range.</summary>
    /// <exception cref="SparseFrontierException">ParameterInvalid.</exception>
    internal void Validate()
    {
        string? wrong = MaximumTokens < 0 ? $"{nameof(MaximumTokens)} is at least 0"
            : !double.IsFinite(Temperature) || Temperature < 0 ? $"{nameof(Temperature)} is a number from 0"
            : TopP is not (> 0 and <= 1) ? $"{nameof(TopP)} lies above 0 and is at most 1"
            : TopK < 0 ? $"{nameof(TopK)} is at least 0"
            : null;
        if (wrong is not null)
        {
            throw new SparseFrontierException(ErrorIds.ParameterInvalid, $"{wrong}; given was {this}.", this);
        }
    }
}
