using SparseFrontier.Kernels;
using SparseFrontier.Tensors;

namespace SparseFrontier.Models.Transformer;

/// <summary>
/// The decoder on a processor, over float32 rows in host memory. Beside the whole of a layer's projections it makes those of some heads alone, for prompts whose
/// queries would take too much memory at once.
/// </summary>
internal sealed unsafe class Forward : Decoder<WeightMatrix, NativeArray<float>>
{
    private readonly KernelSet _kernels;
    private readonly ModelWeights _weights;
    private readonly NativeArray<float> _normalized;
    private readonly NativeArray<float> _gate;
    private readonly NativeArray<float> _up;

    /// <summary>Allocates scratch memory.</summary>
    /// <param name="kernels">Operations.</param>
    /// <param name="weights">Weights.</param>
    /// <param name="configuration">Shape and constants.</param>
    /// <param name="maximumRows">Most rows of a call.</param>
    public Forward(KernelSet kernels, ModelWeights weights, ModelConfiguration configuration, int maximumRows)
        : base(weights, configuration, maximumRows)
    {
        _kernels = kernels;
        _weights = weights;
        _normalized = new NativeArray<float>((long)maximumRows * configuration.HiddenSize);
        _gate = new NativeArray<float>((long)maximumRows * configuration.IntermediateSize);
        _up = new NativeArray<float>((long)maximumRows * configuration.IntermediateSize);
    }

    /// <inheritdoc/>
    protected override nint Normalized => (nint)_normalized.Pointer;

    /// <inheritdoc/>
    protected override nint Gated => (nint)_gate.Pointer;

    /// <inheritdoc/>
    protected override nint Upward => (nint)_up.Pointer;

    /// <summary>Writes the embedding of a token, [hidden].</summary>
    public void Embed(int token, float* residual) => _weights.Embedding.Read(token, EmbeddingScale, residual);

    /// <summary>Queries, keys and values of rows, as the base's of addresses.</summary>
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
        LayerWeights<WeightMatrix, NativeArray<float>> layer,
        float* residual,
        int rows,
        float* cosines,
        float* sines,
        float* queries,
        float* keys,
        float* values,
        CancellationToken cancellationToken) =>
        Project(layer, (nint)residual, rows, (nint)cosines, (nint)sines, (nint)queries, (nint)keys, (nint)values, cancellationToken);

    /// <summary>As <see cref="Project(LayerWeights{WeightMatrix, NativeArray{float}}, float*, int, float*, float*, float*, float*, float*, CancellationToken)"/>, the keys and values alone.</summary>
    /// <param name="layer">The layer's weights.</param>
    /// <param name="residual">[rows, hidden].</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="cosines">[rows, dimension / 2].</param>
    /// <param name="sines">[rows, dimension / 2].</param>
    /// <param name="keys">[rows, KV heads, dimension], written.</param>
    /// <param name="values">[rows, KV heads, dimension], written.</param>
    /// <param name="cancellationToken">Stops between tiles.</param>
    public void ProjectKeysAndValues(
        LayerWeights<WeightMatrix, NativeArray<float>> layer, float* residual, int rows, float* cosines, float* sines, float* keys, float* values, CancellationToken cancellationToken)
    {
        Normalize((nint)residual, rows, layer.AttentionNorm, Normalized);
        MakeKeysAndValues(layer, rows, (nint)cosines, (nint)sines, (nint)keys, (nint)values, cancellationToken);
    }

    /// <summary>As <see cref="Project(LayerWeights{WeightMatrix, NativeArray{float}}, float*, int, float*, float*, float*, float*, float*, CancellationToken)"/>, the queries of some heads alone.</summary>
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
        LayerWeights<WeightMatrix, NativeArray<float>> layer,
        float* residual,
        int rows,
        float* cosines,
        float* sines,
        int firstHead,
        int heads,
        float* queries,
        CancellationToken cancellationToken)
    {
        Normalize((nint)residual, rows, layer.AttentionNorm, Normalized);
        ModelConfiguration c = Configuration;
        int first = firstHead * c.HeadDimension;
        WeightMatrix weight = heads == c.QueryHeads ? layer.Query.Weight : layer.Query.Weight.Slice(first, heads * c.HeadDimension, 0, c.HiddenSize);
        float* bias = layer.Query.Bias is { } vector ? vector.Pointer + first : null;
        _kernels.MatMul(_normalized.Pointer, rows, weight, bias, queries, cancellationToken);
        FinishQueries(layer, rows, heads, (nint)cosines, (nint)sines, (nint)queries);
    }

    /// <summary>What follows attention in a layer: output projection, feed-forward, each added to the residual.</summary>
    /// <param name="layer">The layer's weights.</param>
    /// <param name="attention">[rows, query heads, dimension].</param>
    /// <param name="residual">[rows, hidden], changed.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="cancellationToken">Stops between tiles.</param>
    public void Finish(LayerWeights<WeightMatrix, NativeArray<float>> layer, float* attention, float* residual, int rows, CancellationToken cancellationToken) =>
        Finish(layer, (nint)attention, (nint)residual, rows, cancellationToken);

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
    public void ProjectOutput(
        LayerWeights<WeightMatrix, NativeArray<float>> layer, float* attention, int rows, int firstHead, int heads, float* output, CancellationToken cancellationToken)
    {
        ModelConfiguration c = Configuration;
        WeightMatrix weight = heads == c.QueryHeads ? layer.Output.Weight
            : layer.Output.Weight.Slice(0, c.HiddenSize, firstHead * c.HeadDimension, heads * c.HeadDimension);
        if (firstHead == 0)
        {
            _kernels.MatMul(attention, rows, weight, Pointer(layer.Output.Bias), output, cancellationToken);
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
    public void FinishProjected(LayerWeights<WeightMatrix, NativeArray<float>> layer, float* output, float* residual, int rows, CancellationToken cancellationToken)
    {
        AddBlock(layer.AttentionOutputNorm, output, residual, rows);
        FeedForward(layer, (nint)residual, rows, cancellationToken);
    }

    /// <summary>Logits of rows, [rows, vocabulary].</summary>
    public void Logits(float* residual, int rows, float* logits, CancellationToken cancellationToken) => Logits((nint)residual, rows, (nint)logits, cancellationToken);

    /// <inheritdoc/>
    public override void Dispose()
    {
        _normalized.Dispose();
        _gate.Dispose();
        _up.Dispose();
    }

    /// <inheritdoc/>
    protected override void Normalize(nint residual, int rows, NativeArray<float> weight, nint output) =>
        _kernels.RmsNorm((float*)residual, rows, Configuration.HiddenSize, weight.Pointer, Configuration.NormEpsilon, (float*)output);

    /// <inheritdoc/>
    protected override void NormalizeHeads(nint vectors, int count, NativeArray<float> weight) =>
        _kernels.RmsNorm((float*)vectors, count, Configuration.HeadDimension, weight.Pointer, Configuration.NormEpsilon, (float*)vectors);

    /// <inheritdoc/>
    protected override void Rotate(nint vectors, int rows, int heads, nint cosines, nint sines) =>
        _kernels.Rotate((float*)vectors, rows, heads, Configuration.HeadDimension, (float*)cosines, (float*)sines);

    /// <inheritdoc/>
    protected override void Gate(nint gate, nint up, int rows) =>
        _kernels.Gate((float*)gate, (float*)up, (long)rows * Configuration.IntermediateSize, Configuration.Activation);

    /// <inheritdoc/>
    protected override void Multiply(nint input, int rows, Linear<WeightMatrix, NativeArray<float>> linear, nint output, CancellationToken cancellationToken) =>
        _kernels.MatMul((float*)input, rows, linear.Weight, Pointer(linear.Bias), (float*)output, cancellationToken);

    /// <inheritdoc/>
    protected override void AddProduct(
        nint input, int rows, Linear<WeightMatrix, NativeArray<float>> linear, NativeArray<float>? norm, nint residual, CancellationToken cancellationToken)
    {
        Multiply(input, rows, linear, Normalized, cancellationToken);
        AddBlock(norm, _normalized.Pointer, (float*)residual, rows);
    }

    /// <inheritdoc/>
    protected override void MultiplyLogits(nint input, int rows, WeightMatrix weight, nint logits, CancellationToken cancellationToken) =>
        _kernels.MatMul((float*)input, rows, weight, null, (float*)logits, cancellationToken);

    private static float* Pointer(NativeArray<float>? bias) => bias is null ? null : bias.Pointer;

    private void AddBlock(NativeArray<float>? norm, float* block, float* residual, int rows)
    {
        if (norm is not null)
        {
            _kernels.RmsNorm(block, rows, Configuration.HiddenSize, norm.Pointer, Configuration.NormEpsilon, block);
        }

        _kernels.Add(residual, block, (long)rows * Configuration.HiddenSize);
    }
}
