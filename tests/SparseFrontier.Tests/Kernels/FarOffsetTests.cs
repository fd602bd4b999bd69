using SparseFrontier.Kernels;
using SparseFrontier.Tensors;
using Xunit;

namespace SparseFrontier.Tests.Kernels;

/// <summary>
/// Operands of which parts lie more than 2^31 elements apart give the bits of operands side by side. 8 GiB are mapped, of which the system provides the few pages that are touched;
/// skipped where it refuses.
/// </summary>
public sealed unsafe class FarOffsetTests : IDisposable
{
    private const long Far = (1L << 31) + 64;
    private const int Dimension = 64;
    private const int Rows = 5;
    private const int Wide = 256;
    private const int Near = 40;
    private readonly NativeArray<byte> _memory = Allocate(() => new NativeArray<byte>((Far + (1 << 20)) * sizeof(float)));

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Heads_or_rows_may_lie_far_apart(bool heads)
    {
        foreach (KernelSet kernels in KernelWidths.All.Select(KernelWidths.Get))
        {
            // The second head, or the fifth row.
            float[][] far = Run(kernels, heads ? Far : Dimension, heads ? Dimension : Far / 4);
            Assert.Equal(Run(kernels, Rows * Dimension, Dimension), far);
            Assert.All(far, values => Assert.Contains(values, x => x != 0));
        }
    }

    [Theory]
    [InlineData(DataType.F32)]
    [InlineData(DataType.BF16)]
    public void A_cache_may_have_tokens_far_from_its_first(DataType type)
    {
        const int First = (int)(Far / Wide);
        using KeyValueBlock far = Cache(First + Near, type);
        using KeyValueBlock near = Cache(Near, type);
        Assert.All(KernelWidths.All, width =>
        {
            Assert.Equal(Decode(near, 0), Decode(far, First));

            float[] Decode(KeyValueBlock block, int skipped)
            {
                using var cache = new LayerCache(block, ownsPrompt: false);
                using GuardedArray queries = GuardedArray.Normal(new RandomSource("query"), 4 * Wide);
                var selection = new DecodeSelection([[new KeyRange(skipped + 3, skipped + Near)], [new KeyRange(skipped, skipped + Near)]]);
                KernelWidths.Get(width).DecodeAttention(queries.Pointer, 4, cache, selection, 0.1f, queries.Pointer);
                return queries.Read();
            }
        });
    }

    public void Dispose() => _memory.Dispose();

    private static T Allocate<T>(Func<T> create)
    {
        try
        {
            return create();
        }
        catch (InsufficientMemoryException e)
        {
            Assert.Skip(e.Message);
            throw;
        }
    }

    // The last tokens of both heads.
    private static KeyValueBlock Cache(int tokens, DataType type)
    {
        KeyValueBlock block = Allocate(() => new KeyValueBlock(2, tokens, Wide, type));
        using GuardedArray values = GuardedArray.Normal(new RandomSource("far"), 4L * Near * Wide);
        for (int head = 0; head < 2; head++)
        {
            float* keys = values.Pointer + (head * 2L * Near * Wide);
            block.Write(head, tokens - Near, keys, keys + ((long)Near * Wide), Near);
        }

        return block;
    }

    // All operations that take strides, with four tensors in the same memory.
    private float[][] Run(KernelSet kernels, long headStride, long rowStride)
    {
        HeadTensor q = Tensor(0), k = Tensor(1), v = Tensor(2), o = Tensor(3);
        float[] columns = new float[Rows], diagonals = new float[Rows], maxima = new float[Rows], sums = new float[3 * Dimension], products = new float[Rows * Rows];
        kernels.LastWindowAttention(q, k, 1, Rows, 0.1f, columns, diagonals, maxima);
        kernels.PrefillAttention(q, k, v, 0.1f, [AttentionPlan.Dense(Rows)], 0, o, null, CancellationToken.None);
        fixed (float* s = sums, p = products)
        {
            kernels.SumBlocks(v, 1, 2, s);
            kernels.MatMulTransposed(q.Row(1, 0), rowStride, Rows, k.Row(1, 0), rowStride, Rows, Dimension, p);
        }

        float[] output = [.. Enumerable.Range(0, 2).SelectMany(h => Enumerable.Range(0, Rows).SelectMany(r => o.RowSpan(h, r).ToArray()))];
        return [columns, diagonals, maxima, sums, products, output];

        HeadTensor Tensor(int index)
        {
            var tensor = new HeadTensor((float*)_memory.Pointer + (index * 4096), 2, Rows, Dimension, headStride, rowStride);
            var random = new RandomSource("far", index);
            for (int i = 0; i < 2 * Rows * Dimension; i++)
            {
                tensor.Row(i / Dimension / Rows, i / Dimension % Rows)[i % Dimension] = (float)random.NextNormal();
            }

            return tensor;
        }
    }
}
