using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels.Reference;

// What methods estimate importance with: block sums, page bounds and page scores. Cost: one pass over the vectors.
public sealed unsafe partial class ReferenceKernels
{
    /// <inheritdoc/>
    public override void SumBlocks(HeadTensor vectors, int head, int blockSize, float* sums)
    {
        for (int start = 0; start < vectors.Rows; start += blockSize)
        {
            int end = Math.Min(vectors.Rows, start + blockSize);
            for (int d = 0; d < vectors.Dimension; d++)
            {
                double sum = 0;
                for (int row = start; row < end; row++)
                {
                    sum += vectors.Row(head, row)[d];
                }

                sums[((long)(start / blockSize) * vectors.Dimension) + d] = (float)sum;
            }
        }
    }

    /// <inheritdoc/>
    public override void ExtendBounds(float* keys, int rows, int dimension, float* minima, float* maxima)
    {
        for (int row = 0; row < rows; row++)
        {
            for (int d = 0; d < dimension; d++)
            {
                float key = keys[((long)row * dimension) + d];
                minima[d] = Math.Min(minima[d], key);
                maxima[d] = Math.Max(maxima[d], key);
            }
        }
    }

    /// <inheritdoc/>
    public override void PageScores(float* query, float* minima, float* maxima, int pages, int dimension, float* scores)
    {
        for (int page = 0; page < pages; page++)
        {
            double sum = 0;
            for (int d = 0; d < dimension; d++)
            {
                long i = ((long)page * dimension) + d;
                sum += Math.Max((double)query[d] * minima[i], (double)query[d] * maxima[i]);
            }

            scores[page] = (float)sum;
        }
    }
}
