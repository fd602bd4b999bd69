using System.Runtime.Intrinsics;
using SparseFrontier.Kernels.Cpu;
using SparseFrontier.Tensors;
using Xunit;

namespace SparseFrontier.Tests.Kernels;

public unsafe class PrefillTilesTests
{
    private const int Heads = 3;
    private const float Scale = 0.3f;

    [Theory]
    [InlineData(64, 64)]
    [InlineData(64, 128)]
    [InlineData(63, 72)]
    [InlineData(40, 24)]
    [InlineData(24, 20)]
    [InlineData(17, 5)]
    [InlineData(8, 16)]
    [InlineData(1, 40)]
    public void Transposed_queries_are_all_in_place_and_nothing_else_is_written(int rows, int dimension)
    {
        Check<Simd512, Vector512<float>>(rows, dimension);
        Check<Simd256, Vector256<float>>(rows, dimension);
        Check<Simd128, Vector128<float>>(rows, dimension);
        Check<NeonSimd, Vector128<float>>(rows, dimension);
    }

    private static void Check<TSimd, TVector>(int rows, int dimension)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        const int FirstRow = 2;
        const int TaskRows = PrefillTiles<TSimd, TVector>.TaskRows;
        using var memory = new NativeArray<float>((FirstRow + rows) * Heads * dimension);
        for (long i = 0; i < memory.Length; i++)
        {
            memory.Pointer[i] = i + 1;
        }

        var queries = HeadTensor.RowMajor(memory.Pointer, Heads, FirstRow + rows, dimension);
        using var transposed = new NativeArray<float>(TaskRows * dimension);
        new Span<float>(transposed.Pointer, (int)transposed.Length).Fill(float.NaN);

        PrefillTiles<TSimd, TVector>.TransposeQueries(queries, 1, FirstRow, rows, Scale, transposed.Pointer);

        int block = PrefillTiles<TSimd, TVector>.LaneBlock;
        int lanes = (rows + TSimd.Width - 1) / TSimd.Width * TSimd.Width;
        float factor = Scale * 1.44269504f;
        for (int lane = 0; lane < TaskRows; lane++)
        {
            for (int d = 0; d < dimension; d++)
            {
                // Lanes of the last vector beyond the last row repeat it.
                float expected = lane < lanes ? queries.Row(1, FirstRow + Math.Min(lane, rows - 1))[d] * factor : float.NaN;
                Assert.Equal(expected, transposed.Pointer[(((long)(lane / block) * dimension) + d) * block + (lane % block)]);
            }
        }
    }
}
