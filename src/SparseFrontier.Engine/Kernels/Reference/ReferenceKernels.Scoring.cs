using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels.Reference;

// What methods estimate importance with: block sums, page bounds and page scores. Cost: one pass over the vectors.
public abstract unsafe partial class ReferenceKernels<TNumber>
{
    /// <summary>The means that <see cref="Kernels.NeighbourMeans"/> computes.</summary>
    internal static double[] NeighbourMeans(float[] values, int size) =>
    [
        .. Enumerable.Range(0, values.Length).Select(i =>
            Enumerable.Range(i - (size / 2), size).Where(j => j >= 0 && j < values.Length).Sum(j => (double)values[j]) / size),
    ];

    /// <inheritdoc/>
    public override void SumBlocks(HeadTensor vectors, int head, int blockSize, float* sums)
    {
        for (int start = 0; start < vectors.Rows; start += blockSize)
        {
            int end = Math.Min(vectors.Rows, start + blockSize);
            for (int d = 0; d < vectors.Dimension; d++)
            {
                TNumber sum = TNumber.Zero;
                for (int row = start; row < end; row++)
                {
                    sum += Number(vectors.Row(head, row)[d]);
                }

                sums[((long)(start / blockSize) * vectors.Dimension) + d] = Narrow(sum);
            }
        }
    }

    /// <inheritdoc/>
    public override void ExtendBounds(byte* keys, DataType type, int rows, int dimension, byte* bounds)
    {
        for (int row = 0; row < rows; row++)
        {
            for (int d = 0; d < dimension; d++)
            {
                float key = Element(keys, type, ((long)row * dimension) + d);
                SetElement(bounds, type, d, Math.Min(Element(bounds, type, d), key));
                SetElement(bounds, type, dimension + d, Math.Max(Element(bounds, type, dimension + d), key));
            }
        }
    }

    /// <inheritdoc/>
    public override void PageScores(float* queries, int heads, byte* bounds, DataType type, int pages, int dimension, float* scores)
    {
        for (int page = 0; page < pages; page++)
        {
            TNumber sum = TNumber.Zero;
            for (int h = 0; h < heads; h++)
            {
                for (int d = 0; d < dimension; d++)
                {
                    TNumber query = Number(queries[((long)h * dimension) + d]);
                    TNumber minimum = Number(Element(bounds, type, (((2L * page) + 0) * dimension) + d));
                    TNumber maximum = Number(Element(bounds, type, (((2L * page) + 1) * dimension) + d));
                    sum += TNumber.Max(query * minimum, query * maximum);
                }
            }

            scores[page] = Narrow(sum);
        }
    }

    private static float Element(byte* data, DataType type, long index) =>
        type == DataType.BF16 ? BFloat16.Widen(((ushort*)data)[index]) : ((float*)data)[index];

    private static void SetElement(byte* data, DataType type, long index, float value)
    {
        if (type == DataType.BF16)
        {
            ((ushort*)data)[index] = BFloat16.Round(value);
        }
        else
        {
            ((float*)data)[index] = value;
        }
    }
}
