using System.Numerics;
using SparseFrontier.Kernels.Reference;
using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels;

/// <summary>
/// The reference kernels over operands rounded to the type that kernels store (F32: as they are). In double and without rounding anything else they are what kernels are compared with;
/// in float, rounding what is stored on the way too (softmax weights before they meet the values, and attention's results), they are the plain computation of that precision.
/// </summary>
internal sealed unsafe class RoundedReferenceKernels<TNumber>(DataType type, bool roundsOnTheWay) : ReferenceKernels<TNumber>
    where TNumber : struct, IBinaryFloatingPointIeee754<TNumber>
{
    /// <inheritdoc/>
    public override string Name => "Rounded";

    private protected override TNumber StoreWeight(TNumber weight) => roundsOnTheWay ? TNumber.CreateTruncating(type.Round(float.CreateTruncating(weight))) : weight;

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
        using var q = new Rounded(queries, type);
        using var k = new Rounded(keys, type);
        using var v = new Rounded(values, type);
        base.PrefillAttention(q.Tensor, k.Tensor, v.Tensor, scale, plans, slidingWindow, output, logSumExp, cancellationToken);
        for (int head = 0; head < output.Heads && roundsOnTheWay; head++)
        {
            for (int row = 0; row < output.Rows; row++)
            {
                Round(output.Row(head, row), output.Dimension);
            }
        }
    }

    /// <inheritdoc/>
    public override void DecodeAttention(float* queries, int queryHeads, LayerCache cache, DecodeSelection? selection, float scale, float* output)
    {
        int dimension = cache.Prompt.Dimension;
        using var q = new Rounded(HeadTensor.HeadMajor(queries, queryHeads, 1, dimension), type);
        var block = new KeyValueBlock([.. Enumerable.Range(0, cache.Prompt.Heads).Select(cache.Length)], dimension);
        using var rounded = new LayerCache(block, ownsPrompt: true);
        for (int head = 0; head < block.Heads; head++)
        {
            int prompt = cache.Prompt.Lengths[head];
            cache.Prompt.ReadKeys(head, 0, prompt, (float*)block.Key(head, 0));
            cache.Prompt.ReadValues(head, 0, prompt, (float*)block.Value(head, 0));
            cache.Generated.ReadKeys(head, 0, cache.GeneratedLength, (float*)block.Key(head, prompt));
            cache.Generated.ReadValues(head, 0, cache.GeneratedLength, (float*)block.Value(head, prompt));
            Round((float*)block.Key(head, 0), (long)block.Lengths[head] * dimension);
            Round((float*)block.Value(head, 0), (long)block.Lengths[head] * dimension);
        }

        base.DecodeAttention(q.Tensor.Data, queryHeads, rounded, selection, scale, output);
        if (roundsOnTheWay)
        {
            Round(output, (long)queryHeads * dimension);
        }
    }

    /// <inheritdoc/>
    public override void LastWindowAttention(
        HeadTensor queries, HeadTensor keys, int queryHead, int window, float scale, Span<float> columnSums, Span<float> diagonalSums, Span<float> columnMaxima)
    {
        using var q = new Rounded(queries, type);
        using var k = new Rounded(keys, type);
        base.LastWindowAttention(q.Tensor, k.Tensor, queryHead, window, scale, columnSums, diagonalSums, columnMaxima);
    }

    /// <inheritdoc/>
    public override void SumBlocks(HeadTensor vectors, int head, int blockSize, float* sums)
    {
        using var v = new Rounded(vectors, type);
        base.SumBlocks(v.Tensor, head, blockSize, sums);
    }

    /// <inheritdoc/>
    public override void ExtendBounds(byte* keys, DataType stored, int rows, int dimension, byte* bounds)
    {
        using var rounded = new NativeArray<byte>((long)rows * dimension * stored.SizeInBytes());
        Buffer.MemoryCopy(keys, rounded.Pointer, rounded.SizeInBytes, rounded.SizeInBytes);
        Round(rounded.Pointer, stored, (long)rows * dimension);
        base.ExtendBounds(rounded.Pointer, stored, rows, dimension, bounds);
    }

    /// <inheritdoc/>
    public override void PageScores(float* queries, int heads, byte* bounds, DataType stored, int pages, int dimension, float* scores)
    {
        using var q = new Rounded(HeadTensor.HeadMajor(queries, heads, 1, dimension), type);
        using var rounded = new NativeArray<byte>(2L * pages * dimension * stored.SizeInBytes());
        Buffer.MemoryCopy(bounds, rounded.Pointer, rounded.SizeInBytes, rounded.SizeInBytes);
        Round(rounded.Pointer, stored, 2L * pages * dimension);
        base.PageScores(q.Tensor.Data, heads, rounded.Pointer, stored, pages, dimension, scores);
    }

    private void Round(float* values, long count)
    {
        for (long i = 0; i < count; i++)
        {
            values[i] = type.Round(values[i]);
        }
    }

    private void Round(byte* values, DataType stored, long count)
    {
        if (stored == DataType.F32)
        {
            Round((float*)values, count);
            return;
        }

        for (long i = 0; i < count; i++)
        {
            ushort* value = (ushort*)values + i;
            *value = BFloat16.Round(type.Round(BFloat16.Widen(*value)));
        }
    }

    // A rounded copy, head by head.
    private sealed class Rounded : IDisposable
    {
        private readonly NativeArray<float> _data;

        public Rounded(HeadTensor source, DataType type)
        {
            _data = new NativeArray<float>((long)source.Heads * source.Rows * source.Dimension);
            Tensor = HeadTensor.HeadMajor(_data.Pointer, source.Heads, source.Rows, source.Dimension);
            for (int head = 0; head < source.Heads; head++)
            {
                for (int row = 0; row < source.Rows; row++)
                {
                    for (int d = 0; d < source.Dimension; d++)
                    {
                        Tensor.Row(head, row)[d] = type.Round(source.Row(head, row)[d]);
                    }
                }
            }
        }

        public HeadTensor Tensor { get; }

        public void Dispose() => _data.Dispose();
    }
}
