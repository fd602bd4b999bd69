using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels;

/// <summary>
/// Kernels that count floating-point operations while other kernels compute: by the conventions of the cost model (a multiplication and an addition are two, a softmax takes
/// three for a score, a gate or a reduction one or two for an element). Norms and rotations are not in the model and are not counted, nor is selection by rank, which is no kernel.
/// Attention is counted by its executed pairs where its plans are.
/// </summary>
/// <param name="inner">The kernels that compute.</param>
internal sealed unsafe class CountingKernels(KernelSet inner) : KernelSet
{
    private long _operations;
    private long _products;

    /// <summary>The kernels that compute, for what is not to be counted.</summary>
    public KernelSet Inner => inner;

    /// <summary>Operations of products with weights and of gates so far.</summary>
    public double ProductOperations => Interlocked.Read(ref _products);

    /// <summary>Operations of window scores, block sums, block scores, page bounds and page scores so far.</summary>
    public double IndexOperations => Interlocked.Read(ref _operations);

    /// <inheritdoc/>
    public override string Name => inner.Name;

    /// <inheritdoc/>
    public override DataType ElementType => inner.ElementType;

    /// <inheritdoc/>
    public override bool RunsOnDevice(string operation) => inner.RunsOnDevice(operation);

    /// <inheritdoc/>
    public override void MatMul(float* input, int rows, WeightMatrix weight, float* bias, float* output, CancellationToken cancellationToken)
    {
        CountProduct(rows, weight);
        inner.MatMul(input, rows, weight, bias, output, cancellationToken);
    }

    /// <inheritdoc/>
    public override void MatMulAdd(float* input, int rows, WeightMatrix weight, float* output, CancellationToken cancellationToken)
    {
        CountProduct(rows, weight);
        inner.MatMulAdd(input, rows, weight, output, cancellationToken);
    }

    /// <inheritdoc/>
    public override void RmsNorm(float* input, int rows, int width, float* weight, float epsilon, float* output) => inner.RmsNorm(input, rows, width, weight, epsilon, output);

    /// <inheritdoc/>
    public override void Rotate(float* vectors, int rows, int heads, int dimension, float* cosines, float* sines) => inner.Rotate(vectors, rows, heads, dimension, cosines, sines);

    /// <inheritdoc/>
    public override void Gate(float* gate, float* up, long count, GateActivation activation)
    {
        Interlocked.Add(ref _products, 2 * count);
        inner.Gate(gate, up, count, activation);
    }

    /// <inheritdoc/>
    public override void Add(float* target, float* source, long count) => inner.Add(target, source, count);

    /// <inheritdoc/>
    public override void PrefillAttention(
        HeadTensor queries, HeadTensor keys, HeadTensor values, float scale, IReadOnlyList<AttentionPlan> plans, int slidingWindow, HeadTensor output, float* logSumExp, CancellationToken cancellationToken) =>
        inner.PrefillAttention(queries, keys, values, scale, plans, slidingWindow, output, logSumExp, cancellationToken);

    /// <inheritdoc/>
    public override void DecodeAttention(float* queries, int queryHeads, LayerCache cache, DecodeSelection? selection, float scale, float* output) =>
        inner.DecodeAttention(queries, queryHeads, cache, selection, scale, output);

    /// <inheritdoc/>
    internal override void DecodeAttention(
        float* queries, int queryHeads, LayerCache cache, DecodeSelection selection, Action<int> choose, float scale, float* output) =>
        inner.DecodeAttention(queries, queryHeads, cache, selection, choose, scale, output);

    /// <inheritdoc/>
    public override void LastWindowAttention(
        HeadTensor queries, HeadTensor keys, int queryHead, int window, float scale, Span<float> columnSums, Span<float> diagonalSums, Span<float> columnMaxima)
    {
        // The last queries see all keys but those after them.
        long pairs = ((long)window * keys.Rows) - ((long)window * (window - 1) / 2);
        int reductions = (columnSums.IsEmpty ? 0 : 1) + (diagonalSums.IsEmpty ? 0 : 1) + (columnMaxima.IsEmpty ? 0 : 1);
        Count(pairs * ((2L * queries.Dimension) + 3 + reductions));
        inner.LastWindowAttention(queries, keys, queryHead, window, scale, columnSums, diagonalSums, columnMaxima);
    }

    /// <inheritdoc/>
    public override void SumBlocks(HeadTensor vectors, int head, int blockSize, float* sums)
    {
        Count((long)vectors.Rows * vectors.Dimension);
        inner.SumBlocks(vectors, head, blockSize, sums);
    }

    /// <inheritdoc/>
    public override void MatMulTransposed(float* left, long leftStride, int rows, float* right, long rightStride, int columns, int depth, float* output)
    {
        Count(2L * rows * columns * depth);
        inner.MatMulTransposed(left, leftStride, rows, right, rightStride, columns, depth, output);
    }

    /// <inheritdoc/>
    public override void ExtendBounds(byte* keys, DataType type, int rows, int dimension, byte* bounds)
    {
        Count(2L * rows * dimension);
        inner.ExtendBounds(keys, type, rows, dimension, bounds);
    }

    /// <inheritdoc/>
    public override void PageScores(float* queries, int heads, byte* bounds, DataType type, int pages, int dimension, float* scores)
    {
        // Two products, their maximum and the sum, for each element of each bound.
        Count(4L * heads * pages * dimension);
        inner.PageScores(queries, heads, bounds, type, pages, dimension, scores);
    }

    /// <inheritdoc/>
    public override long CountExecutedPairs(AttentionPlan plan, int slidingWindow) => inner.CountExecutedPairs(plan, slidingWindow);

    private void CountProduct(int rows, WeightMatrix weight) => Interlocked.Add(ref _products, 2L * rows * weight.Rows * weight.Columns);

    private void Count(long operations) => Interlocked.Add(ref _operations, operations);
}
