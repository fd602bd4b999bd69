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
                yield return LastWindowCase(rows, window, dimension);
            }

            foreach (int rows in (int[])[1, 15, 16, 17, 63, 70])
            {
                yield return SumBlocksCase(rows, dimension);
                yield return MatMulTransposedCase(rows, dimension);
                yield return ExtendBoundsCase(rows, dimension);
                yield return PageScoresCase(rows, dimension);
            }
        }
    }

    private static KernelCorrectnessCase LastWindowCase(int rows, int window, int dimension) => new(
        "LastWindowAttention",
        $"4:2 heads, {rows} rows, window {window}, dimension {dimension}",
        DataType.F32,
        1e-5,
        (kernels, random) =>
        {
            using var queries = GuardedArray.Normal(random, 4L * rows * dimension, 2);
            using var keys = GuardedArray.Normal(random, 2L * rows * dimension);
            using var columns = GuardedArray.Poisoned(rows);
            using var diagonals = GuardedArray.Poisoned(rows);
            using var maxima = GuardedArray.Poisoned(rows);
            var q = HeadTensor.RowMajor(queries.Pointer, 4, rows, dimension);
            var k = HeadTensor.HeadMajor(keys.Pointer, 2, rows, dimension);
            kernels.LastWindowAttention(q, k, 3, window, 1 / MathF.Sqrt(dimension), columns.Span, diagonals.Span, maxima.Span);
            return [.. columns.Read(), .. diagonals.Read(), .. maxima.Read()];
        });

    private static KernelCorrectnessCase SumBlocksCase(int rows, int dimension) => new(
        "SumBlocks",
        $"[2, {rows}, {dimension}] by 16",
        DataType.F32,
        1e-5,
        (kernels, random) =>
        {
            using var vectors = GuardedArray.Normal(random, 2L * rows * dimension);
            using var sums = GuardedArray.Poisoned((rows + 15L) / 16 * dimension);
            kernels.SumBlocks(HeadTensor.RowMajor(vectors.Pointer, 2, rows, dimension), 1, 16, sums.Pointer);
            return sums.Read();
        });

    private static KernelCorrectnessCase MatMulTransposedCase(int rows, int depth) => new(
        "MatMulTransposed",
        $"[{rows}, {depth}] x [{rows + 3}, {depth}]ᵀ",
        DataType.F32,
        1e-5,
        (kernels, random) =>
        {
            using var left = GuardedArray.Normal(random, (long)rows * (depth + 5));
            using var right = GuardedArray.Normal(random, (rows + 3L) * depth);
            using var output = GuardedArray.Poisoned(rows * (rows + 3L));
            kernels.MatMulTransposed(left.Pointer, depth + 5, rows, right.Pointer, depth, rows + 3, depth, output.Pointer);
            return output.Read();
        });

    private static KernelCorrectnessCase ExtendBoundsCase(int rows, int dimension) => new(
        "ExtendBounds",
        $"[{rows}, {dimension}]",
        DataType.F32,
        0,
        (kernels, random) =>
        {
            using var keys = GuardedArray.Normal(random, (long)rows * dimension);
            using var minima = GuardedArray.Poisoned(dimension);
            using var maxima = GuardedArray.Poisoned(dimension);
            minima.Span.Fill(rows == 1 ? 0.5f : float.PositiveInfinity);
            maxima.Span.Fill(rows == 1 ? -0.5f : float.NegativeInfinity);
            kernels.ExtendBounds(keys.Pointer, rows, dimension, minima.Pointer, maxima.Pointer);
            return [.. minima.Read(), .. maxima.Read()];
        });

    private static KernelCorrectnessCase PageScoresCase(int pages, int dimension) => new(
        "PageScores",
        $"[{pages} pages, {dimension}]",
        DataType.F32,
        1e-5,
        (kernels, random) =>
        {
            using var query = GuardedArray.Normal(random, dimension);
            using var minima = GuardedArray.Normal(random, (long)pages * dimension);
            using var maxima = GuardedArray.Normal(random, (long)pages * dimension);
            using var scores = GuardedArray.Poisoned(pages);
            kernels.PageScores(query.Pointer, minima.Pointer, maxima.Pointer, pages, dimension, scores.Pointer);
            return scores.Read();
        });
}
