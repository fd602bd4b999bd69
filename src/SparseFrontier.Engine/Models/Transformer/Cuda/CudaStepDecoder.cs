using SparseFrontier.Kernels;
using SparseFrontier.Kernels.Cuda;
using SparseFrontier.Tensors;

namespace SparseFrontier.Models.Transformer.Cuda;

/// <summary>
/// The decoder over rows of steps on a GPU: what <see cref="Decoder{TMatrix, TVector}"/> does, in fewer and larger kernels, because a step of one row is otherwise spent
/// on starting them. The residual stream is float32, branches are of the weights' 16-bit type; see step.cu and step_product.cu. Nothing here allocates or waits.
/// </summary>
internal sealed class CudaStepDecoder : IDisposable
{
    private const int Threads = 256;

    private readonly CudaDevice _device;
    private readonly CudaWeights _weights;
    private readonly ModelConfiguration _configuration;
    private readonly (string, int) _type;
    private readonly float _embeddingScale;
    private readonly CudaMemory _normalized;
    private readonly CudaMemory _keys;
    private readonly CudaMemory _values;
    private readonly CudaMemory _gate;
    private readonly CudaMemory? _up;
    private readonly CudaMemory? _branch;

    /// <summary>Allocates scratch memory.</summary>
    /// <param name="device">The GPU.</param>
    /// <param name="weights">Weights, of which those used lie there.</param>
    /// <param name="configuration">Shape and constants.</param>
    /// <param name="maximumRows">Most rows of a step.</param>
    /// <param name="makesLogits">Whether the output matrix lies there.</param>
    public CudaStepDecoder(CudaDevice device, CudaWeights weights, ModelConfiguration configuration, int maximumRows, bool makesLogits)
    {
        _device = device;
        _weights = weights;
        ModelConfiguration c = _configuration = configuration;
        _type = ("TYPE", CudaVectors.TypeValue(weights.ElementType));

        // As in Decoder.
        _embeddingScale = c.IsGemma ? weights.Embedding.DataType.Round(MathF.Sqrt(c.HiddenSize)) : 1;
        _normalized = Rows(c.HiddenSize, 2);
        _keys = Rows(c.KvHeads * c.HeadDimension, 2);
        _values = Rows(c.KvHeads * c.HeadDimension, 2);
        _gate = Rows(c.IntermediateSize, 2);
        _up = c.FeedForwardBias ? Rows(c.IntermediateSize, 2) : null;
        _branch = c.IsGemma || c.AttentionOutputBias || c.FeedForwardBias ? Rows(c.HiddenSize, sizeof(float)) : null;
        Residual = Rows(c.HiddenSize, sizeof(float));
        Queries = Rows(c.QueryHeads * c.HeadDimension, 2);
        Logits = makesLogits ? Rows(c.VocabularySize, sizeof(float)) : null;

        CudaMemory Rows(long width, int bytes)
        {
            CudaMemory memory = CudaMemory.Allocate(_device, maximumRows * width * bytes);
            memory.Fill(0);
            return memory;
        }
    }

    /// <summary>[rows, hidden] float32.</summary>
    public CudaMemory Residual { get; }

    /// <summary>[rows, query heads, dimension]: queries, then what attention makes of them.</summary>
    public CudaMemory Queries { get; }

    /// <summary>[rows, vocabulary] float32; null where none are made.</summary>
    public CudaMemory? Logits { get; }

    /// <summary>Residual = embeddings of the rows' tokens.</summary>
    /// <param name="stepRows">Address of struct StepRow [rows].</param>
    /// <param name="rows">Number of rows.</param>
    public void Embed(ulong stepRows, int rows) =>
        _device.Function("step.cu", "embedRows", _type).Launch(
            (rows, 1, 1), Threads, 0, _weights.EmbeddingMatrix.Memory, stepRows, Residual, _configuration.HiddenSize, _embeddingScale);

    /// <summary>Queries, and keys and values into the rows' caches.</summary>
    /// <param name="layer">The layer's weights.</param>
    /// <param name="sliding">Whether its attention is in a window.</param>
    /// <param name="stepRows">Address of struct StepRow [rows].</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="caches">Of the layer.</param>
    /// <param name="counts">Address of the tokens that each row's KV heads see, [rows, KV heads].</param>
    public void Project(LayerWeights<CudaMatrix, CudaMemory> layer, bool sliding, ulong stepRows, int rows, CudaCacheAddresses caches, ulong counts)
    {
        ModelConfiguration c = _configuration;
        Normalize(layer.AttentionNorm, rows);
        CudaStepProducts.Multiply(
            _normalized.Address,
            rows,
            StepOutput.Elements,
            (layer.Query.Weight, layer.Query.Bias, Queries.Address),
            (layer.Key.Weight, layer.Key.Bias, _keys.Address),
            (layer.Value.Weight, layer.Value.Bias, _values.Address));
        _device.Function("step.cu", "placeHeads", _type).Launch(
            (rows, (c.QueryHeads + (2 * c.KvHeads) + 3) / 4, 1),
            128,
            0,
            stepRows,
            Queries,
            _keys,
            _values,
            layer.QueryNorm,
            layer.KeyNorm,
            caches.TailKeys,
            caches.TailValues,
            counts,
            c.QueryHeads,
            c.KvHeads,
            c.HeadDimension,
            c.NormEpsilon,
            sliding ? 1 : 0);
    }

    /// <summary>What follows attention in a layer.</summary>
    /// <param name="layer">The layer's weights.</param>
    /// <param name="rows">Number of rows.</param>
    public void Finish(LayerWeights<CudaMatrix, CudaMemory> layer, int rows)
    {
        ModelConfiguration c = _configuration;
        bool gelu = c.Activation == GateActivation.GeluTanh;
        AddProduct(Queries.Address, rows, layer.Output, layer.AttentionOutputNorm);
        Normalize(layer.FeedForwardNorm, rows);
        if (_up is null)
        {
            CudaStepProducts.Gate(_normalized.Address, rows, layer.Gate.Weight, layer.Up.Weight, _gate.Address, gelu);
        }
        else
        {
            CudaStepProducts.Multiply(
                _normalized.Address, rows, StepOutput.Elements, (layer.Gate.Weight, layer.Gate.Bias, _gate.Address), (layer.Up.Weight, layer.Up.Bias, _up.Address));
            long count = (long)rows * c.IntermediateSize;
            _device.Function("decoder.cu", "gateRows", _type).Launch((CudaDecoder.Blocks((count + 7) / 8), 1, 1), Threads, 0, _gate, _up, count, gelu ? 1 : 0);
        }

        AddProduct(_gate.Address, rows, layer.Down, layer.FeedForwardOutputNorm);
    }

    /// <summary>Logits = of the residual's rows.</summary>
    public void MakeLogits(int rows)
    {
        Normalize(_weights.FinalNorm, rows);
        CudaStepProducts.Multiply(_normalized.Address, rows, StepOutput.Singles, (_weights.Output, null, Logits!.Address));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _normalized.Dispose();
        _keys.Dispose();
        _values.Dispose();
        _gate.Dispose();
        _up?.Dispose();
        _branch?.Dispose();
        Residual.Dispose();
        Queries.Dispose();
        Logits?.Dispose();
    }

    private void AddProduct(ulong input, int rows, Linear<CudaMatrix, CudaMemory> linear, CudaMemory? norm)
    {
        if (norm is null && linear.Bias is null)
        {
            CudaStepProducts.Multiply(input, rows, StepOutput.AddedSingles, (linear.Weight, null, Residual.Address));
            return;
        }

        CudaStepProducts.Multiply(input, rows, StepOutput.Singles, (linear.Weight, null, _branch!.Address));
        _device.Function("decoder.cu", "addBranch", _type).Launch(
            (rows, 1, 1), Threads, 0, _branch, linear.Bias, norm, Residual, _configuration.HiddenSize, _configuration.NormEpsilon);
    }

    private void Normalize(CudaMemory weight, int rows) =>
        _device.Function("decoder.cu", "normalize", _type).Launch(
            (rows, 1, 1), Threads, 0, Residual, weight, _normalized, _configuration.HiddenSize, _configuration.NormEpsilon);
}
