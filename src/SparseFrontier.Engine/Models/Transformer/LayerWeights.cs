namespace SparseFrontier.Models.Transformer;

/// <summary>A linear layer: a matrix, and a bias or none, in a device's memory.</summary>
/// <typeparam name="TMatrix">How the device holds a matrix.</typeparam>
/// <typeparam name="TVector">How the device holds a vector.</typeparam>
internal sealed record Linear<TMatrix, TVector>(TMatrix Weight, TVector? Bias)
    where TMatrix : class, IDisposable
    where TVector : class, IDisposable;

/// <summary>Weights of one decoder layer. Norms are float32, with Gemma's 1 added.</summary>
/// <typeparam name="TMatrix">How the device holds a matrix.</typeparam>
/// <typeparam name="TVector">How the device holds a vector.</typeparam>
internal sealed class LayerWeights<TMatrix, TVector>
    where TMatrix : class, IDisposable
    where TVector : class, IDisposable
{
    /// <summary>Before attention, [hidden].</summary>
    public required TVector AttentionNorm { get; init; }

    /// <summary>[query heads x dimension, hidden].</summary>
    public required Linear<TMatrix, TVector> Query { get; init; }

    /// <summary>[KV heads x dimension, hidden].</summary>
    public required Linear<TMatrix, TVector> Key { get; init; }

    /// <summary>[KV heads x dimension, hidden].</summary>
    public required Linear<TMatrix, TVector> Value { get; init; }

    /// <summary>[hidden, query heads x dimension].</summary>
    public required Linear<TMatrix, TVector> Output { get; init; }

    /// <summary>Norm of each query, [dimension], or null.</summary>
    public required TVector? QueryNorm { get; init; }

    /// <summary>Norm of each key, [dimension], or null.</summary>
    public required TVector? KeyNorm { get; init; }

    /// <summary>After attention, before the residual is added (Gemma), or null.</summary>
    public required TVector? AttentionOutputNorm { get; init; }

    /// <summary>Before the feed-forward layer, [hidden].</summary>
    public required TVector FeedForwardNorm { get; init; }

    /// <summary>[intermediate, hidden], goes through the activation.</summary>
    public required Linear<TMatrix, TVector> Gate { get; init; }

    /// <summary>[intermediate, hidden].</summary>
    public required Linear<TMatrix, TVector> Up { get; init; }

    /// <summary>[hidden, intermediate].</summary>
    public required Linear<TMatrix, TVector> Down { get; init; }

    /// <summary>After the feed-forward layer, before the residual is added (Gemma), or null.</summary>
    public required TVector? FeedForwardOutputNorm { get; init; }
}
