using System.Runtime.Intrinsics;
using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels.Cpu;

/// <summary>Every operation in SIMD on all cores; see the kernels for formulas, layouts and costs.</summary>
public static class CpuKernels
{
    /// <summary>The kernel set for the widest vectors that this machine runs fast.</summary>
    public static KernelSet Create() =>
        Vector512.IsHardwareAccelerated ? new CpuKernels<Simd512, Vector512<float>>()
        : Vector256.IsHardwareAccelerated ? new CpuKernels<Simd256, Vector256<float>>()
        : new CpuKernels<Simd128, Vector128<float>>();

    /// <summary>The kernel sets for all vector widths, also those that this machine only emulates; for tests.</summary>
    internal static IReadOnlyList<KernelSet> CreateAllWidths() =>
        [new CpuKernels<Simd512, Vector512<float>>(), new CpuKernels<Simd256, Vector256<float>>(), new CpuKernels<Simd128, Vector128<float>>()];
}

/// <summary>The kernels of one vector width.</summary>
internal sealed unsafe class CpuKernels<TSimd, TVector> : KernelSet
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    // Elements of an element-wise operation that one task processes.
    private const long TaskElements = 1 << 14;

    /// <inheritdoc/>
    public override string Name => "Cpu";

    /// <inheritdoc/>
    public override void MatMul(float* input, int rows, WeightMatrix weight, float* bias, float* output, CancellationToken cancellationToken) =>
        Multiply(input, rows, weight, bias, add: false, output, cancellationToken);

    /// <inheritdoc/>
    public override void MatMulAdd(float* input, int rows, WeightMatrix weight, float* output, CancellationToken cancellationToken) =>
        Multiply(input, rows, weight, null, add: true, output, cancellationToken);

    /// <inheritdoc/>
    public override void RmsNorm(float* input, int rows, int width, float* weight, float epsilon, float* output) =>
        ForRows(rows, width, (first, end) => RmsNormKernel<TSimd, TVector>.Run(input, first, end, width, weight, epsilon, output));

    /// <inheritdoc/>
    public override void Rotate(float* vectors, int rows, int heads, int dimension, float* cosines, float* sines) =>
        ForRows(rows, heads * dimension, (first, end) => RotateKernel<TSimd, TVector>.Run(vectors, first, end, heads, dimension, cosines, sines));

    /// <inheritdoc/>
    public override void Gate(float* gate, float* up, long count, GateActivation activation) =>
        ForElements(count, (first, length) => GateKernel<TSimd, TVector>.Run(gate + first, up + first, length, activation));

    /// <inheritdoc/>
    public override void Add(float* target, float* source, long count) =>
        ForElements(count, (first, length) => AddKernel<TSimd, TVector>.Run(target + first, source + first, length));

    /// <inheritdoc/>
    public override void PrefillAttention(
        HeadTensor queries,
        HeadTensor keys,
        HeadTensor values,
        float scale,
        IReadOnlyList<AttentionPlan> plans,
        int slidingWindow,
        HeadTensor output,
        float* logSumExp,
        CancellationToken cancellationToken) =>
        PrefillAttentionKernel<TSimd, TVector>.Run(queries, keys, values, scale, plans, slidingWindow, output, logSumExp, cancellationToken);

    /// <inheritdoc/>
    public override void DecodeAttention(float* queries, int queryHeads, LayerCache cache, DecodeSelection? selection, float scale, float* output) =>
        DecodeAttentionKernel<TSimd, TVector>.Run(queries, queryHeads, cache, selection, scale, output);

    /// <inheritdoc/>
    internal override void DecodeAttention(
        float* queries, int queryHeads, LayerCache cache, DecodeSelection selection, Action<int> choose, float scale, float* output) =>
        DecodeAttentionKernel<TSimd, TVector>.Run(queries, queryHeads, cache, selection, choose, scale, output);

    /// <inheritdoc/>
    public override void LastWindowAttention(
        HeadTensor queries,
        HeadTensor keys,
        int queryHead,
        int window,
        float scale,
        Span<float> columnSums,
        Span<float> diagonalSums,
        Span<float> columnMaxima) =>
        LastWindowAttentionKernel<TSimd, TVector>.Run(queries, keys, queryHead, window, scale, columnSums, diagonalSums, columnMaxima);

    /// <inheritdoc/>
    public override void SumBlocks(HeadTensor vectors, int head, int blockSize, float* sums) =>
        SumBlocksKernel<TSimd, TVector>.Run(vectors, head, blockSize, sums);

    /// <inheritdoc/>
    public override void MatMulTransposed(float* left, long leftStride, int rows, float* right, long rightStride, int columns, int depth, float* output) =>
        MatMulTransposedKernel<TSimd, TVector>.Run(left, leftStride, rows, right, rightStride, columns, depth, output, columns);

    /// <inheritdoc/>
    public override void ExtendBounds(byte* keys, DataType type, int rows, int dimension, byte* bounds)
    {
        if (type == DataType.BF16)
        {
            PageKernels<TSimd, TVector, BFloat16CacheElement>.ExtendBounds(keys, rows, dimension, bounds);
        }
        else
        {
            PageKernels<TSimd, TVector, SingleCacheElement>.ExtendBounds(keys, rows, dimension, bounds);
        }
    }

    /// <inheritdoc/>
    public override void PageScores(float* queries, int heads, byte* bounds, DataType type, int pages, int dimension, float* scores)
    {
        if (type == DataType.BF16)
        {
            PageKernels<TSimd, TVector, BFloat16CacheElement>.Score(queries, heads, bounds, pages, dimension, scores);
        }
        else
        {
            PageKernels<TSimd, TVector, SingleCacheElement>.Score(queries, heads, bounds, pages, dimension, scores);
        }
    }

    /// <inheritdoc/>
    public override long CountExecutedPairs(AttentionPlan plan, int slidingWindow) =>
        PrefillAttentionKernel<TSimd, TVector>.CountPairs(plan, slidingWindow);

    private static void Multiply(float* input, int rows, WeightMatrix weight, float* bias, bool add, float* output, CancellationToken cancellationToken)
    {
        switch (weight.DataType)
        {
            case DataType.F32:
                MatMulKernel<TSimd, TVector>.Run<SingleElement>(input, rows, weight, bias, add, output, cancellationToken);
                break;
            case DataType.F16:
                MatMulKernel<TSimd, TVector>.Run<HalfElement>(input, rows, weight, bias, add, output, cancellationToken);
                break;
            default:
                MatMulKernel<TSimd, TVector>.Run<BFloat16Element>(input, rows, weight, bias, add, output, cancellationToken);
                break;
        }
    }

    // Calls body with (first row, end row) of blocks of about TaskElements elements.
    private static void ForRows(int rows, int width, Action<int, int> body)
    {
        int blockRows = (int)Math.Max(1, TaskElements / Math.Max(1, width));
        WorkerPool.For((rows + blockRows - 1) / blockRows, block => body(block * blockRows, Math.Min(rows, (block + 1) * blockRows)));
    }

    // Calls body with (first element, number of elements) of blocks of TaskElements elements.
    private static void ForElements(long count, Action<long, long> body) =>
        WorkerPool.For((int)((count + TaskElements - 1) / TaskElements), block => body(block * TaskElements, Math.Min(TaskElements, count - (block * TaskElements))));
}
