using SparseFrontier.Kernels.Cpu;
using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels.Cuda;

/// <summary>
/// Attention and what methods estimate importance with, on a GPU, over operands in host memory: they are copied there rounded to a 16-bit type, and results come
/// back as float32. The other operations of a model (<see cref="RunsOnDevice"/>) run on the processor.
/// </summary>
public sealed unsafe class CudaKernels : KernelSet
{
    private static readonly string[] s_deviceOperations =
    [
        nameof(PrefillAttention), nameof(DecodeAttention), nameof(LastWindowAttention), nameof(SumBlocks), nameof(MatMulTransposed), nameof(ExtendBounds), nameof(PageScores),
    ];

    private readonly CudaDevice _device;
    private readonly KernelSet _host = CpuKernels.Create();

    /// <summary>The kernels of a device for one storage type.</summary>
    /// <param name="device">The GPU.</param>
    /// <param name="type">BF16 or F16: what queries, keys and values are rounded to.</param>
    public CudaKernels(CudaDevice device, DataType type = DataType.BF16)
    {
        if (type is not (DataType.BF16 or DataType.F16))
        {
            throw new ArgumentException($"GPU kernels store BF16 or F16, not {type}.", nameof(type));
        }

        _device = device;
        ElementType = type;
    }

    /// <inheritdoc/>
    public override string Name => "Cuda";

    /// <inheritdoc/>
    public override DataType ElementType { get; }

    /// <inheritdoc/>
    public override bool RunsOnDevice(string operation) => s_deviceOperations.Contains(operation);

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
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(plans);
        foreach (AttentionPlan plan in plans)
        {
            plan.RequireShape(queries, keys);
        }

        cancellationToken.ThrowIfCancellationRequested();
        using var q = CudaVectors.From(_device, ElementType, queries);
        using var k = CudaVectors.From(_device, ElementType, keys);
        using var v = CudaVectors.From(_device, ElementType, values);
        using var lists = CudaPlans.From(_device, plans);
        using var o = CudaVectors.Allocate(_device, ElementType, queries.Heads, queries.Rows, queries.Dimension);
        using CudaMemory? logarithms = logSumExp is null ? null : CudaMemory.Allocate(_device, (long)queries.Heads * queries.Rows * sizeof(float));
        CudaAttention.Prefill(q, k, v, scale, lists, slidingWindow, o, logarithms);
        o.CopyTo(output);
        logarithms?.Download(logSumExp, logarithms.SizeInBytes);
    }

    /// <inheritdoc/>
    public override void DecodeAttention(float* queries, int queryHeads, LayerCache cache, DecodeSelection? selection, float scale, float* output)
    {
        ArgumentNullException.ThrowIfNull(cache);
        int kvHeads = cache.Prompt.Heads;
        int dimension = cache.Prompt.Dimension;
        int length = Enumerable.Range(0, kvHeads).Max(cache.Length);
        using var keys = new NativeArray<float>((long)kvHeads * length * dimension);
        using var values = new NativeArray<float>((long)kvHeads * length * dimension);
        for (int head = 0; head < kvHeads; head++)
        {
            long first = (long)head * length * dimension;
            int prompt = cache.Prompt.Lengths[head];
            cache.Prompt.ReadKeys(head, 0, prompt, keys.Pointer + first);
            cache.Prompt.ReadValues(head, 0, prompt, values.Pointer + first);
            cache.Generated.ReadKeys(head, 0, cache.GeneratedLength, keys.Pointer + first + ((long)prompt * dimension));
            cache.Generated.ReadValues(head, 0, cache.GeneratedLength, values.Pointer + first + ((long)prompt * dimension));
        }

        using var q = CudaVectors.From(_device, ElementType, HeadTensor.HeadMajor(queries, queryHeads, 1, dimension));
        using var k = CudaVectors.From(_device, ElementType, HeadTensor.HeadMajor(keys.Pointer, kvHeads, length, dimension));
        using var v = CudaVectors.From(_device, ElementType, HeadTensor.HeadMajor(values.Pointer, kvHeads, length, dimension));
        using var o = CudaVectors.Allocate(_device, ElementType, queryHeads, 1, dimension);
        int[][]? tokens = selection is null ? null : Array.ConvertAll(selection.Lists, Tokens);
        int[] counts = tokens is null ? [.. Enumerable.Range(0, kvHeads).Select(cache.Length)] : Array.ConvertAll(tokens, t => t.Length);
        using CudaTokenLists lists = tokens is null ? CudaTokenLists.All(_device, counts) : CudaTokenLists.Pages(_device, counts, 1, tokens);
        CudaAttention.Decode(q, k, v, scale, lists, o, null);
        o.CopyTo(HeadTensor.HeadMajor(output, queryHeads, 1, dimension));
    }

    /// <inheritdoc/>
    public override void LastWindowAttention(
        HeadTensor queries,
        HeadTensor keys,
        int queryHead,
        int window,
        float scale,
        Span<float> columnSums,
        Span<float> diagonalSums,
        Span<float> columnMaxima)
    {
        int kvHead = queryHead / (queries.Heads / keys.Heads);
        using var q = CudaVectors.From(_device, ElementType, queries.Slice(queryHead, 1));
        using var k = CudaVectors.From(_device, ElementType, keys.Slice(kvHead, 1));
        using var sums = CudaWindow.Compute(q, k, window, scale);
        Copy(sums.ColumnSums, columnSums);
        Copy(sums.DiagonalSums, diagonalSums);
        Copy(sums.ColumnMaxima, columnMaxima);
    }

    /// <inheritdoc/>
    public override void SumBlocks(HeadTensor vectors, int head, int blockSize, float* sums)
    {
        using var v = CudaVectors.From(_device, ElementType, vectors.Slice(head, 1));
        using CudaMemory result = CudaBlocks.Sum(v, blockSize);
        int blocks = (vectors.Rows + blockSize - 1) / blockSize;
        float[] padded = result.ToArray<float>();
        for (int block = 0; block < blocks; block++)
        {
            padded.AsSpan(block * v.Width, vectors.Dimension).CopyTo(new Span<float>(sums + ((long)block * vectors.Dimension), vectors.Dimension));
        }
    }

    /// <inheritdoc/>
    public override void MatMulTransposed(float* left, long leftStride, int rows, float* right, long rightStride, int columns, int depth, float* output)
    {
        using var l = CudaMemory.Allocate(_device, ((leftStride * (rows - 1)) + depth) * sizeof(float));
        using var r = CudaMemory.Allocate(_device, ((rightStride * (columns - 1)) + depth) * sizeof(float));
        using var o = CudaMemory.Allocate(_device, (long)rows * columns * sizeof(float));
        l.Upload(left, l.SizeInBytes);
        r.Upload(right, r.SizeInBytes);
        CudaBlocks.MultiplyTransposed(l, leftStride, rows, r, rightStride, columns, depth, o);
        o.Download(output, o.SizeInBytes);
    }

    /// <inheritdoc/>
    public override void ExtendBounds(byte* keys, DataType type, int rows, int dimension, byte* bounds)
    {
        using var widened = new NativeArray<float>((long)rows * dimension);
        KeyValueBlock.Load(keys, type, widened.Pointer, (long)rows * dimension);
        using var k = CudaVectors.From(_device, ElementType, HeadTensor.HeadMajor(widened.Pointer, 1, rows, dimension));
        using var result = CudaPages.Bounds(k, rows);
        using var both = new NativeArray<float>(4L * dimension);
        float* before = both.Pointer + (2L * dimension);
        result.CopyTo(HeadTensor.HeadMajor(both.Pointer, 1, 2, dimension));
        KeyValueBlock.Load(bounds, type, before, 2L * dimension);
        for (int d = 0; d < dimension; d++)
        {
            both.Pointer[d] = Math.Min(both.Pointer[d], before[d]);
            both.Pointer[dimension + d] = Math.Max(both.Pointer[dimension + d], before[dimension + d]);
        }

        KeyValueBlock.Store(both.Pointer, type, bounds, 2L * dimension);
    }

    /// <inheritdoc/>
    public override void PageScores(float* queries, int heads, byte* bounds, DataType type, int pages, int dimension, float* scores)
    {
        using var widened = new NativeArray<float>(2L * pages * dimension);
        KeyValueBlock.Load(bounds, type, widened.Pointer, 2L * pages * dimension);
        using var q = CudaVectors.From(_device, ElementType, HeadTensor.HeadMajor(queries, heads, 1, dimension));
        using var b = CudaVectors.From(_device, ElementType, HeadTensor.HeadMajor(widened.Pointer, 1, 2 * pages, dimension));
        using CudaMemory result = CudaPages.Scores(q, b, pages, share: true);
        result.Download(scores, (long)pages * sizeof(float));
    }

    /// <inheritdoc/>
    public override long CountExecutedPairs(AttentionPlan plan, int slidingWindow) => CudaPlans.CountExecutedPairs(plan, slidingWindow);

    /// <inheritdoc/>
    public override void MatMul(float* input, int rows, WeightMatrix weight, float* bias, float* output, CancellationToken cancellationToken) =>
        _host.MatMul(input, rows, weight, bias, output, cancellationToken);

    /// <inheritdoc/>
    public override void MatMulAdd(float* input, int rows, WeightMatrix weight, float* output, CancellationToken cancellationToken) =>
        _host.MatMulAdd(input, rows, weight, output, cancellationToken);

    /// <inheritdoc/>
    public override void RmsNorm(float* input, int rows, int width, float* weight, float epsilon, float* output) => _host.RmsNorm(input, rows, width, weight, epsilon, output);

    /// <inheritdoc/>
    public override void Rotate(float* vectors, int rows, int heads, int dimension, float* cosines, float* sines) => _host.Rotate(vectors, rows, heads, dimension, cosines, sines);

    /// <inheritdoc/>
    public override void Gate(float* gate, float* up, long count, GateActivation activation) => _host.Gate(gate, up, count, activation);

    /// <inheritdoc/>
    public override void Add(float* target, float* source, long count) => _host.Add(target, source, count);

    private static int[] Tokens(KeyRange[] ranges) => [.. ranges.SelectMany(r => Enumerable.Range(r.Start, r.Length))];

    private static void Copy(CudaMemory source, Span<float> target)
    {
        fixed (float* data = target)
        {
            source.Download(data, (long)target.Length * sizeof(float));
        }
    }
}
