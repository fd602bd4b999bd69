using SparseFrontier.Kernels;
using SparseFrontier.Tensors;

namespace SparseFrontier.Models.Transformer;

/// <summary>A linear layer: a matrix, and a bias or none.</summary>
internal sealed record Linear(WeightMatrix Weight, NativeArray<float>? Bias)
{
    /// <summary>The bias as kernels take it.</summary>
    public unsafe float* BiasPointer => Bias is null ? null : Bias.Pointer;
}

/// <summary>Weights of one decoder layer. Norms are float32, with Gemma's 1 added.</summary>
internal sealed class LayerWeights
{
    /// <summary>Before attention, [hidden].</summary>
    public required NativeArray<float> AttentionNorm { get; init; }

    /// <summary>[query heads x dimension, hidden].</summary>
    public required Linear Query { get; init; }

    /// <summary>[KV heads x dimension, hidden].</summary>
    public required Linear Key { get; init; }

    /// <summary>[KV heads x dimension, hidden].</summary>
    public required Linear Value { get; init; }

    /// <summary>[hidden, query heads x dimension].</summary>
    public required Linear Output { get; init; }

    /// <summary>Norm of each query, [dimension], or null.</summary>
    public required NativeArray<float>? QueryNorm { get; init; }

    /// <summary>Norm of each key, [dimension], or null.</summary>
    public required NativeArray<float>? KeyNorm { get; init; }

    /// <summary>After attention, before the residual is added (Gemma), or null.</summary>
    public required NativeArray<float>? AttentionOutputNorm { get; init; }

    /// <summary>Before the feed-forward layer, [hidden].</summary>
    public required NativeArray<float> FeedForwardNorm { get; init; }

    /// <summary>[intermediate, hidden], goes through the activation.</summary>
    public required Linear Gate { get; init; }

    /// <summary>[intermediate, hidden].</summary>
    public required Linear Up { get; init; }

    /// <summary>[hidden, intermediate].</summary>
    public required Linear Down { get; init; }

    /// <summary>After the feed-forward layer, before the residual is added (Gemma), or null.</summary>
    public required NativeArray<float>? FeedForwardOutputNorm { get; init; }
}
