using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels;

// What methods estimate importance with.
public static unsafe partial class KernelCorrectness
{
    private static IEnumerable<KernelCorrectnessCase> Scoring()
    {
        (int Rows, int Window)[] windows = [(1, 1), (2, 1), (16, 16), (65, 64), (100, 33), (129, 128), (200, 65), (300, 256), (257, 256)];
        foreach (int dimension in s_dimensions)
        {
            foreach ((int rows, int window) in windows)
            {
                yield return LastWindowCase(4, 2, rows, window, dimension);
            }

            foreach ((int queryHeads, int kvHeads) in s_headGroups)
            {
                yield return LastWindowCase(queryHeads, kvHeads, 70, 33, dimension);
            }

            foreach (int rows in (int[])[1, 15, 16, 17, 63, 70])
            {
                yield return SumBlocksCase(rows, dimension);
                yield return MatMulTransposedCase(rows, dimension);
                foreach (DataType type in s_cacheTypes)
                {
                    yield return ExtendBoundsCase(rows, dimension, type);
                    foreach (int heads in (int[])[1, 3, 4, 7, 8])
                    {
                        yield return PageScoresCase(rows, heads, dimension, type);
                    }
                }
            }
        }
    }

    // Sums of all query heads, one after the other.
    private static KernelCorrectnessCase LastWindowCase(int queryHeads, int kvHeads, int rows, int window, int dimension) => new(
        "LastWindowAttention",
        $"{queryHeads}:{kvHeads} heads, {Counted.Of(rows, "row")}, window {window}, dimension {dimension}",
        DataType.F32,
        (kernels, random) =>
        {
            using var queries = GuardedArray.Normal(random, (long)queryHeads * rows * dimension, 2);
            using var keys = GuardedArray.Normal(random, (long)kvHeads * rows * dimension);
            var q = HeadTensor.RowMajor(queries.Pointer, queryHeads, rows, dimension);
            var k = HeadTensor.HeadMajor(keys.Pointer, kvHeads, rows, dimension);
            float[][] sums = [[], [], []];
            for (int head = 0; head < queryHeads; head++)
            {
                using var columns = GuardedArray.Poisoned(rows);
                using var diagonals = GuardedArray.Poisoned(rows);
                using var maxima = GuardedArray.Poisoned(rows);
                kernels.LastWindowAttention(q, k, head, window, 1 / MathF.Sqrt(dimension), columns.Span, diagonals.Span, maxima.Span);
                sums = [[.. sums[0], .. columns.Read()], [.. sums[1], .. diagonals.Read()], [.. sums[2], .. maxima.Read()]];
            }

            return sums;
        });

    private static KernelCorrectnessCase SumBlocksCase(int rows, int dimension) => new(
        "SumBlocks",
        $"[2, {rows}, {dimension}] by 16",
        DataType.F32,
        (kernels, random) =>
        {
            using var vectors = GuardedArray.Normal(random, 2L * rows * dimension);
            using var sums = GuardedArray.Poisoned((rows + 15L) / 16 * dimension);
            kernels.SumBlocks(HeadTensor.RowMajor(vectors.Pointer, 2, rows, dimension), 1, 16, sums.Pointer);
            return [sums.Read()];
        });

    private static KernelCorrectnessCase MatMulTransposedCase(int rows, int depth) => new(
        "MatMulTransposed",
        $"[{rows}, {depth}] x [{rows + 3}, {depth}]ᵀ",
        DataType.F32,
        (kernels, random) =>
        {
            using var left = GuardedArray.Normal(random, (long)rows * (depth + 5));
            using var right = GuardedArray.Normal(random, (rows + 3L) * depth);
            using var output = GuardedArray.Poisoned(rows * (rows + 3L));
            kernels.MatMulTransposed(left.Pointer, depth + 5, rows, right.Pointer, depth, rows + 3, depth, output.Pointer);
            return [output.Read()];
        });

    private static KernelCorrectnessCase ExtendBoundsCase(int rows, int dimension, DataType type) => new(
        "ExtendBounds",
        $"[{rows}, {dimension}]",
        type,
        (kernels, random) =>
        {
            float[] initial = new float[2 * dimension];
            Array.Fill(initial, rows == 1 ? 0.5f : float.PositiveInfinity, 0, dimension);
            Array.Fill(initial, rows == 1 ? -0.5f : float.NegativeInfinity, dimension, dimension);
            using GuardedArray keys = Stored(Normal(random, (long)rows * dimension), type);
            using GuardedArray bounds = Stored(initial, type);
            kernels.ExtendBounds((byte*)keys.Pointer, type, rows, dimension, (byte*)bounds.Pointer);
            return [ReadStored(bounds, initial.Length, type)];
        })
    {
        IsExact = true,
    };

    private static KernelCorrectnessCase PageScoresCase(int pages, int heads, int dimension, DataType type) => new(
        "PageScores",
        $"[{Counted.Of(pages, "page")}, {Counted.Of(heads, "head")}, {dimension}]",
        type,
        (kernels, random) =>
        {
            using var queries = GuardedArray.Normal(random, (long)heads * dimension);
            using var scores = GuardedArray.Poisoned(pages);
            float[] values = Normal(random, 2L * pages * dimension);
            for (int i = 0; i < values.Length; i++)
            {
                int other = i + dimension;
                if (i / dimension % 2 == 0 && values[i] > values[other])
                {
                    (values[i], values[other]) = (values[other], values[i]);
                }
            }

            using GuardedArray bounds = Stored(values, type);
            kernels.PageScores(queries.Pointer, heads, (byte*)bounds.Pointer, type, pages, dimension, scores.Pointer);
            return [scores.Read()];
        });

    private static float[] Normal(RandomSource random, long length)
    {
        using var values = GuardedArray.Normal(random, length);
        return values.Read();
    }

    // Values in a type of their own; two bfloat16 values lie in the place of one float32.
    private static GuardedArray Stored(float[] values, DataType type)
    {
        var array = GuardedArray.Poisoned(((values.Length * (long)type.SizeInBytes()) + 3) / 4);
        for (int i = 0; i < values.Length; i++)
        {
            if (type == DataType.BF16)
            {
                ((ushort*)array.Pointer)[i] = BFloat16.Round(values[i]);
            }
            else
            {
                array.Pointer[i] = values[i];
            }
        }

        return array;
    }

    private static float[] ReadStored(GuardedArray array, int count, DataType type)
    {
        float[] stored = array.Read();
        float[] values = new float[count];
        for (int i = 0; i < count; i++)
        {
            uint bits = BitConverter.SingleToUInt32Bits(stored[type == DataType.BF16 ? i / 2 : i]);
            values[i] = type == DataType.F32 ? stored[i] : BFloat16.Widen((ushort)(bits >> (i % 2 * 16)));
        }

        return values;
    }
}
