using System.Runtime.CompilerServices;
using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels.Cpu;

/// <summary>sums[b] = Σ of the rows of block b. Lanes are elements of the vector, rows are added in ascending order. Cost: one pass over the vectors.</summary>
internal static unsafe class SumBlocksKernel<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void Run(HeadTensor vectors, int head, int blockSize, float* sums)
    {
        int dimension = vectors.Dimension;
        long stride = vectors.RowStride;
        for (int start = 0; start < vectors.Rows; start += blockSize)
        {
            int rows = Math.Min(blockSize, vectors.Rows - start);
            float* block = vectors.Row(head, start);
            float* target = sums + ((long)(start / blockSize) * dimension);
            int d = 0;
            for (; d + TSimd.Width <= dimension; d += TSimd.Width)
            {
                TVector sum = TSimd.Broadcast(0);
                for (int r = 0; r < rows; r++)
                {
                    sum = TSimd.Add(sum, TSimd.Load(block + (r * stride) + d));
                }

                TSimd.Store(sum, target + d);
            }

            for (; d < dimension; d++)
            {
                float sum = 0;
                for (int r = 0; r < rows; r++)
                {
                    sum += block[(r * stride) + d];
                }

                target[d] = sum;
            }
        }
    }
}
