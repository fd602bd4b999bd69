using SparseFrontier.Kernels;
using SparseFrontier.Kernels.Cuda;

namespace SparseFrontier.Models.Transformer.Cuda;

/// <summary>The decoder over prompt rows on a GPU: the residual stream in float32, the branches in the weights' 16-bit type; see decoder.cu. Addresses are of the device.</summary>
internal sealed class CudaDecoder : Decoder<CudaMatrix, CudaMemory>
{
    private const int Threads = 256;

    private readonly CudaDevice _device;
    private readonly CudaWeights _weights;
    private readonly CudaProducts _products;
    private readonly (string, int) _type;
    private readonly CudaMemory _normalized;
    private readonly CudaMemory _gate;
    private readonly CudaMemory _up;
    private readonly CudaMemory? _branch;

    /// <summary>Allocates scratch memory.</summary>
    /// <param name="device">The GPU.</param>
    /// <param name="weights">Weights.</param>
    /// <param name="configuration">Shape and constants.</param>
    /// <param name="maximumRows">Most rows of a call.</param>
    public CudaDecoder(CudaDevice device, CudaWeights weights, ModelConfiguration configuration, int maximumRows)
        : base(weights, configuration, maximumRows)
    {
        _device = device;
        _weights = weights;
        _products = CudaProducts.Of(device);
        _type = ("TYPE", CudaVectors.TypeValue(weights.ElementType));
        long rows = CudaProducts.WrittenRows(maximumRows);
        int widest = Math.Max(configuration.HiddenSize, configuration.QueryHeads * configuration.HeadDimension);
        _normalized = CudaMemory.Allocate(device, rows * widest * 2);
        _gate = CudaMemory.Allocate(device, rows * configuration.IntermediateSize * 2);
        _up = CudaMemory.Allocate(device, rows * configuration.IntermediateSize * 2);
        bool needsBranch = configuration.IsGemma || configuration.AttentionOutputBias || configuration.FeedForwardBias;
        _branch = needsBranch ? CudaMemory.Allocate(device, rows * configuration.HiddenSize * sizeof(float)) : null;
    }

    /// <inheritdoc/>
    protected override nint Normalized => (nint)_normalized.Address;

    /// <inheritdoc/>
    protected override nint Gated => (nint)_gate.Address;

    /// <inheritdoc/>
    protected override nint Upward => (nint)_up.Address;

    /// <summary>Writes the embeddings of tokens, [rows, hidden].</summary>
    public void Embed(ulong tokens, int rows, ulong residual) =>
        Launch("embed", rows, 0, _weights.EmbeddingMatrix.Memory, tokens, residual, Configuration.HiddenSize, EmbeddingScale);

    /// <inheritdoc/>
    public override void Dispose()
    {
        _normalized.Dispose();
        _gate.Dispose();
        _up.Dispose();
        _branch?.Dispose();
    }

    /// <inheritdoc/>
    protected override void Normalize(nint residual, int rows, CudaMemory weight, nint output) =>
        Launch("normalize", rows, 0, (ulong)residual, weight, (ulong)output, Configuration.HiddenSize, Configuration.NormEpsilon);

    /// <inheritdoc/>
    protected override void NormalizeHeads(nint vectors, int count, CudaMemory weight) =>
        Launch("normalizeHeads", (count + 7) / 8, 0, (ulong)vectors, weight, (long)count, Configuration.HeadDimension, Configuration.NormEpsilon);

    /// <inheritdoc/>
    protected override void Rotate(nint vectors, int rows, int heads, nint cosines, nint sines)
    {
        long pairs = (long)rows * heads * (Configuration.HeadDimension / 2);
        Launch("rotate", Blocks(pairs), 0, (ulong)vectors, (ulong)cosines, (ulong)sines, pairs, heads, Configuration.HeadDimension);
    }

    /// <inheritdoc/>
    protected override void Gate(nint gate, nint up, int rows)
    {
        long count = (long)rows * Configuration.IntermediateSize;
        Launch("gateRows", Blocks((count + 7) / 8), 0, (ulong)gate, (ulong)up, count, Configuration.Activation == GateActivation.GeluTanh ? 1 : 0);
    }

    /// <inheritdoc/>
    protected override void Multiply(nint input, int rows, Linear<CudaMatrix, CudaMemory> linear, nint output, CancellationToken cancellationToken)
    {
        _products.Multiply((ulong)input, rows, linear.Weight, (ulong)output, single: false, add: false);
        if (linear.Bias is not null)
        {
            long count = (long)rows * linear.Weight.Rows;
            Launch("addBias", Blocks(count), 0, (ulong)output, linear.Bias, count, linear.Weight.Rows);
        }
    }

    /// <inheritdoc/>
    protected override void AddProduct(nint input, int rows, Linear<CudaMatrix, CudaMemory> linear, CudaMemory? norm, nint residual, CancellationToken cancellationToken)
    {
        if (norm is null && linear.Bias is null)
        {
            _products.Multiply((ulong)input, rows, linear.Weight, (ulong)residual, single: true, add: true);
            return;
        }

        _products.Multiply((ulong)input, rows, linear.Weight, _branch!.Address, single: true, add: false);
        Launch("addBranch", rows, 0, _branch, linear.Bias, norm, (ulong)residual, Configuration.HiddenSize, Configuration.NormEpsilon);
    }

    /// <inheritdoc/>
    protected override void MultiplyLogits(nint input, int rows, CudaMatrix weight, nint logits, CancellationToken cancellationToken) =>
        _products.Multiply((ulong)input, rows, weight, (ulong)logits, single: true, add: false);

    /// <summary>Thread blocks for so many elements, each thread one or several.</summary>
    internal static int Blocks(long elements) => (int)Math.Clamp((elements + Threads - 1) / Threads, 1, 8192);

    private void Launch(string name, int blocks, int sharedBytes, params ReadOnlySpan<KernelArgument> arguments) =>
        _device.Function("decoder.cu", name, _type).Launch((blocks, 1, 1), Threads, sharedBytes, arguments);
}
