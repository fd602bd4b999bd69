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

    // Keys that only the second vector of lanes takes, or all where there is one vector: sixteen, eight and both, beside groups of both vectors.
    [Theory]
    [InlineData(2, 0, 8, 64)]
    [InlineData(2, 0, 16, 64)]
    [InlineData(2, 16, 32, 64)]
    [InlineData(2, 8, 32, 24)]
    [InlineData(2, 24, 24, 8)]
    [InlineData(1, 8, 8, 64)]
    [InlineData(1, 24, 24, 40)]
    [InlineData(1, 128, 128, 128)]
    public void Scores_are_sums_in_ascending_order_whatever_is_scored_together(int vectors, int firstCount, int count, int dimension)
    {
        CheckScores<Simd512, Vector512<float>>(vectors, firstCount, count, dimension);
        CheckScores<Simd256, Vector256<float>>(vectors, firstCount, count, dimension);
        CheckScores<Simd128, Vector128<float>>(vectors, firstCount, count, dimension);
        CheckScores<NeonSimd, Vector128<float>>(vectors, firstCount, count, dimension);
    }

    private static void CheckScores<TSimd, TVector>(int vectors, int firstCount, int count, int dimension)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        int block = PrefillTiles<TSimd, TVector>.LaneBlock;
        var random = new RandomSource("scores");
        using var transposed = new NativeArray<float>(dimension * block);
        using var keys = new NativeArray<float>(count * dimension);
        using var scores = new NativeArray<float>(count * block);
        float** addresses = stackalloc float*[count];
        for (long i = 0; i < transposed.Length; i++)
        {
            transposed.Pointer[i] = (float)random.NextDouble() - 0.5f;
        }

        for (long i = 0; i < keys.Length; i++)
        {
            keys.Pointer[i] = (float)random.NextDouble() - 0.5f;
        }

        for (int k = 0; k < count; k++)
        {
            // In any order.
            addresses[k] = keys.Pointer + ((long)(count - 1 - k) * dimension);
        }

        new Span<float>(scores.Pointer, (int)scores.Length).Fill(float.NaN);
        PrefillTiles<TSimd, TVector>.Score(transposed.Pointer, vectors * TSimd.Width, addresses, firstCount, count, dimension, scores.Pointer, addresses, count / 2, count / 2 >= 4 ? 4 : 1);
        float* expected = stackalloc float[TSimd.Width];
        for (int k = 0; k < count; k++)
        {
            for (int lane = 0; lane < block; lane++)
            {
                bool scored = lane < TSimd.Width ? vectors == 1 || k < firstCount : vectors == 2;
                TVector sum = TSimd.Broadcast(0);
                for (int d = 0; scored && d < dimension; d++)
                {
                    sum = TSimd.MultiplyAdd(TSimd.Broadcast(addresses[k][d]), TSimd.Broadcast(transposed.Pointer[(d * block) + lane]), sum);
                }

                TSimd.Store(sum, expected);
                Assert.Equal(scored ? expected[0] : float.NaN, scores.Pointer[(k * block) + lane]);
            }
        }
    }

    // Consecutive keys up to the last row's, all of them masked or the later ones, with copies beyond them that no row sees.
    [Theory]
    [InlineData(1000)]
    [InlineData(20)]
    [InlineData(1)]
    public void Exactly_the_pairs_that_a_row_does_not_see_are_masked(int window)
    {
        CheckMask<Simd512, Vector512<float>>(window);
        CheckMask<Simd256, Vector256<float>>(window);
        CheckMask<Simd128, Vector128<float>>(window);
        CheckMask<NeonSimd, Vector128<float>>(window);
    }

    private static void CheckMask<TSimd, TVector>(int window)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        const int First = 200;
        const int Count = 96;
        const int Copies = 4;
        int block = PrefillTiles<TSimd, TVector>.LaneBlock;
        int firstKey = First + block + Copies - Count;
        int firstCount = Count - Copies - TSimd.Width;
        int* indices = stackalloc int[Count];
        float* scores = stackalloc float[Count * block];
        new Span<float>(scores, Count * block).Fill(1);
        for (int k = 0; k < Count; k++)
        {
            indices[k] = k < Count - Copies ? firstKey + k : int.MaxValue;
        }

        PrefillTiles<TSimd, TVector>.Mask(scores, block, indices, firstCount, Count, First, window);
        for (int k = 0; k < Count; k++)
        {
            // What the first vector is not scored with may hold anything.
            for (int lane = k < firstCount ? 0 : TSimd.Width; lane < block; lane++)
            {
                int row = First + lane;
                bool sees = indices[k] <= row && indices[k] > row - window;
                Assert.Equal(sees ? 1 : PrefillTiles<TSimd, TVector>.Masked, scores[(k * block) + lane]);
            }
        }
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
