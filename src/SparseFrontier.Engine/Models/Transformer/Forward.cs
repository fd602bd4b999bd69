using SparseFrontier.Kernels;
using SparseFrontier.Tensors;

namespace SparseFrontier.Models.Transformer;

/// <summary>
/// The decoder over rows of tokens, all but attention itself: written once for every family, for prefill (matrix products) and for decode
/// (the same products for few rows). A row's result does not depend on the rows beside it.
/// </summary>
internal sealed unsafe class Forward : IDisposable
{
    private readonly KernelSet _kernels;
    private readonly ModelWeights _weights;
    private readonly ModelConfiguration _configuration;
    private readonly float _embeddingScale;
    private readonly NativeArray<float> _normalized;
    private readonly NativeArray<float> _gate;
    private readonly NativeArray<float> _up;

    /// <summary>Allocates scratch memory.</summary>
    /// <param name="kernels">Operations.</param>
    /// <param name="weights">Weights.</param>
    /// <param name="configuration">Shape and constants.</param>
    /// <param name="maximumRows">Most rows of a call.</param>
    public Forward(KernelSet kernels, ModelWeights weights, ModelConfiguration configuration, int maximumRows)
    {
        _kernels = kernels;
        _weights = weights;
        _configuration = configuration;
        MaximumRows = maximumRows;

        // Hugging Face multiplies Gemma's embeddings by a factor rounded to the type of the weights.
        _embeddingScale = configuration.IsGemma ? weights.Embedding.DataType.Round(MathF.Sqrt(configuration.HiddenSize)) : 1;
        _normalized = new NativeArray<float>((long)maximumRows * configuration.HiddenSize);
        _gate = new NativeArray<float>((long)maximumRows * configuration.IntermediateSize);
        _up = new NativeArray<float>((long)maximumRows * configuration.IntermediateSize);
    }

    /// <summary>Most rows of a call.</summary>
    public int MaximumRows { get; }

    /// <summary>Writes the embedding of a token, [hidden].</summary>
    public void Embed(int token, float* residual) => _weights.Embedding.Read(token, _embeddingScale, residual);

    /// <summary>Queries, keys and values of rows: norm, projections, norms by head, rotation.</summary>
    /// <param name="layer">The layer's weights.</param>
    /// <param name="residual">[rows, hidden].</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="cosines">[rows, dimension / 2].</param>
    /// <param name="sines">[rows, dimension / 2].</param>
    /// <param name="queries">[rows, query heads, dimension], written.</param>
    /// <param name="keys">[rows, KV heads, dimension], written.</param>
    /// <param name="values">[rows, KV heads, dimension], written.</param>
    /// <param name="cancellationToken">Stops between tiles.</param>
    public void Project(
        LayerWeights layer,
        float* residual,
        int rows,
        float* cosines,
        float* sines,
        float* queries,
        float* keys,
        float* values,
        CancellationToken cancellationToken)
    {
        ModelConfiguration c = _configuration;
        float* x = _normalized.Pointer;
        _kernels.RmsNorm(residual, rows, c.HiddenSize, layer.AttentionNorm.Pointer, c.NormEpsilon, x);
        Multiply(x, rows, layer.Query, queries, cancellationToken);
        Multiply(x, rows, layer.Key, keys, cancellationToken);
        Multiply(x, rows, layer.Value, values, cancellationToken);
        if (layer.QueryNorm is not null)
        {
            _kernels.RmsNorm(queries, rows * c.QueryHeads, c.HeadDimension, layer.QueryNorm.Pointer, c.NormEpsilon, queries);
        }

        if (layer.KeyNorm is not null)
        {
            _kernels.RmsNorm(keys, rows * c.KvHeads, c.HeadDimension, layer.KeyNorm.Pointer, c.NormEpsilon, keys);
        }

        _kernels.Rotate(queries, rows, c.QueryHeads, c.HeadDimension, cosines, sines);
        _kernels.Rotate(keys, rows, c.KvHeads, c.HeadDimension, cosines, sines);
    }

    /// <summary>What follows attention in a layer: output projection, feed-forward, each added to the residual.</summary>
    /// <param name="layer">The layer's weights.</param>
    /// <param name="attention">[rows, query heads, dimension].</param>
    /// <param name="residual">[rows, hidden], changed.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="cancellationToken">Stops between tiles.</param>
    public void Finish(LayerWeights layer, float* attention, float* residual, int rows, CancellationToken cancellationToken)
    {
        ModelConfiguration c = _configuration;
        float* x = _normalized.Pointer;
        Multiply(attention, rows, layer.Output, x, cancellationToken);
        AddBlock(layer.AttentionOutputNorm, x, residual, rows);

        _kernels.RmsNorm(residual, rows, c.HiddenSize, layer.FeedForwardNorm.Pointer, c.NormEpsilon, x);
        Multiply(x, rows, layer.Gate, _gate.Pointer, cancellationToken);
        Multiply(x, rows, layer.Up, _up.Pointer, cancellationToken);
        _kernels.Gate(_gate.Pointer, _up.Pointer, (long)rows * c.IntermediateSize, c.Activation);
        Multiply(_gate.Pointer, rows, layer.Down, x, cancellationToken);
        AddBlock(layer.FeedForwardOutputNorm, x, residual, rows);
    }

    /// <summary>Logits of rows, [rows, vocabulary].</summary>
    public void Logits(float* residual, int rows, float* logits, CancellationToken cancellationToken)
    {
        _kernels.RmsNorm(residual, rows, _configuration.HiddenSize, _weights.FinalNorm.Pointer, _configuration.NormEpsilon, _normalized.Pointer);
        Multiply(_normalized.Pointer, rows, new Linear(_weights.Output, null), logits, cancellationToken);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _normalized.Dispose();
        _gate.Dispose();
        _up.Dispose();
    }

    private void AddBlock(NativeArray<float>? norm, float* block, float* residual, int rows)
    {
        if (norm is not null)
        {
            _kernels.RmsNorm(block, rows, _configuration.HiddenSize, norm.Pointer, _configuration.NormEpsilon, block);
        }

        _kernels.Add(residual, block, (long)rows * _configuration.HiddenSize);
    }

    private void Multiply(float* input, int rows, Linear linear, float* output, CancellationToken cancellationToken) =>
        _kernels.MatMul(input, rows, linear.Weight, linear.BiasPointer, output, cancellationToken);
}
