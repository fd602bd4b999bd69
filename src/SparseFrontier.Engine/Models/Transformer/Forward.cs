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
        Normalize(layer, residual, rows);
        MakeQueries(layer, rows, cosines, sines, 0, _configuration.QueryHeads, queries, cancellationToken);
        MakeKeysAndValues(layer, rows, cosines, sines, keys, values, cancellationToken);
    }

    /// <summary>As <see cref="Project"/>, the keys and values alone.</summary>
    /// <param name="layer">The layer's weights.</param>
    /// <param name="residual">[rows, hidden].</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="cosines">[rows, dimension / 2].</param>
    /// <param name="sines">[rows, dimension / 2].</param>
    /// <param name="keys">[rows, KV heads, dimension], written.</param>
    /// <param name="values">[rows, KV heads, dimension], written.</param>
    /// <param name="cancellationToken">Stops between tiles.</param>
    public void ProjectKeysAndValues(LayerWeights layer, float* residual, int rows, float* cosines, float* sines, float* keys, float* values, CancellationToken cancellationToken)
    {
        Normalize(layer, residual, rows);
        MakeKeysAndValues(layer, rows, cosines, sines, keys, values, cancellationToken);
    }

    /// <summary>As <see cref="Project"/>, the queries of some heads alone.</summary>
    /// <param name="layer">The layer's weights.</param>
    /// <param name="residual">[rows, hidden].</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="cosines">[rows, dimension / 2].</param>
    /// <param name="sines">[rows, dimension / 2].</param>
    /// <param name="firstHead">First query head; it begins at a multiple of 64 elements.</param>
    /// <param name="heads">Number of query heads.</param>
    /// <param name="queries">[rows, heads, dimension], written.</param>
    /// <param name="cancellationToken">Stops between tiles.</param>
    public void ProjectQueries(
        LayerWeights layer, float* residual, int rows, float* cosines, float* sines, int firstHead, int heads, float* queries, CancellationToken cancellationToken)
    {
        Normalize(layer, residual, rows);
        MakeQueries(layer, rows, cosines, sines, firstHead, heads, queries, cancellationToken);
    }

    /// <summary>What follows attention in a layer: output projection, feed-forward, each added to the residual.</summary>
    /// <param name="layer">The layer's weights.</param>
    /// <param name="attention">[rows, query heads, dimension].</param>
    /// <param name="residual">[rows, hidden], changed.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="cancellationToken">Stops between tiles.</param>
    public void Finish(LayerWeights layer, float* attention, float* residual, int rows, CancellationToken cancellationToken)
    {
        ProjectOutput(layer, attention, rows, 0, _configuration.QueryHeads, _normalized.Pointer, cancellationToken);
        FinishProjected(layer, _normalized.Pointer, residual, rows, cancellationToken);
    }

    /// <summary>
    /// The output projection of some heads: written for the first head, added for others. Heads added in ascending order give the bits of all
    /// heads at once.
    /// </summary>
    /// <param name="layer">The layer's weights.</param>
    /// <param name="attention">[rows, heads, dimension].</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="firstHead">First query head.</param>
    /// <param name="heads">Number of query heads.</param>
    /// <param name="output">[rows, hidden], changed.</param>
    /// <param name="cancellationToken">Stops between tiles.</param>
    public void ProjectOutput(LayerWeights layer, float* attention, int rows, int firstHead, int heads, float* output, CancellationToken cancellationToken)
    {
        ModelConfiguration c = _configuration;
        Linear linear = layer.Output;
        WeightMatrix weight = heads == c.QueryHeads ? linear.Weight
            : linear.Weight.Slice(0, c.HiddenSize, firstHead * c.HeadDimension, heads * c.HeadDimension);
        if (firstHead == 0)
        {
            _kernels.MatMul(attention, rows, weight, linear.BiasPointer, output, cancellationToken);
        }
        else
        {
            _kernels.MatMulAdd(attention, rows, weight, output, cancellationToken);
        }
    }

    /// <summary>What follows the output projection in a layer.</summary>
    /// <param name="layer">The layer's weights.</param>
    /// <param name="output">[rows, hidden], the output projection; changed.</param>
    /// <param name="residual">[rows, hidden], changed.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="cancellationToken">Stops between tiles.</param>
    public void FinishProjected(LayerWeights layer, float* output, float* residual, int rows, CancellationToken cancellationToken)
    {
        ModelConfiguration c = _configuration;
        float* x = _normalized.Pointer;
        AddBlock(layer.AttentionOutputNorm, output, residual, rows);

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

    private void Normalize(LayerWeights layer, float* residual, int rows) =>
        _kernels.RmsNorm(residual, rows, _configuration.HiddenSize, layer.AttentionNorm.Pointer, _configuration.NormEpsilon, _normalized.Pointer);

    private void MakeQueries(LayerWeights layer, int rows, float* cosines, float* sines, int firstHead, int heads, float* queries, CancellationToken cancellationToken)
    {
        ModelConfiguration c = _configuration;
        int first = firstHead * c.HeadDimension;
        Linear linear = layer.Query;
        WeightMatrix weight = heads == c.QueryHeads ? linear.Weight : linear.Weight.Slice(first, heads * c.HeadDimension, 0, c.HiddenSize);
        float* bias = linear.BiasPointer == null ? null : linear.BiasPointer + first;
        _kernels.MatMul(_normalized.Pointer, rows, weight, bias, queries, cancellationToken);
        if (layer.QueryNorm is not null)
        {
            _kernels.RmsNorm(queries, rows * heads, c.HeadDimension, layer.QueryNorm.Pointer, c.NormEpsilon, queries);
        }

        _kernels.Rotate(queries, rows, heads, c.HeadDimension, cosines, sines);
    }

    private void MakeKeysAndValues(LayerWeights layer, int rows, float* cosines, float* sines, float* keys, float* values, CancellationToken cancellationToken)
    {
        ModelConfiguration c = _configuration;
        Multiply(_normalized.Pointer, rows, layer.Key, keys, cancellationToken);
        Multiply(_normalized.Pointer, rows, layer.Value, values, cancellationToken);
        if (layer.KeyNorm is not null)
        {
            _kernels.RmsNorm(keys, rows * c.KvHeads, c.HeadDimension, layer.KeyNorm.Pointer, c.NormEpsilon, keys);
        }

        _kernels.Rotate(keys, rows, c.KvHeads, c.HeadDimension, cosines, sines);
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
