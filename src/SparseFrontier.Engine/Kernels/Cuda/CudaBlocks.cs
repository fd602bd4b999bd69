namespace SparseFrontier.Kernels.Cuda;

/// <summary>Block pooling and the scores of block pairs on the device; see blocks.cu and block_scores.cu.</summary>
internal static class CudaBlocks
{
    // Of scoreMeans: key blocks of a thread block, so that long rows keep all multiprocessors busy.
    private const int SplitColumns = 512;

    /// <summary>Sums [heads, blocks, width] in float32 of each block of consecutive vectors.</summary>
    /// <param name="vectors">[heads, rows, dimension].</param>
    /// <param name="size">Rows of a block; the last may have fewer.</param>
    public static CudaMemory Sum(CudaVectors vectors, int size) => Pool(vectors, size, 0, sizeof(float));

    /// <summary>Those sums divided by the size, [heads, blocks, width] in bfloat16; the last block's as well, as if it had zeros at its end.</summary>
    /// <param name="vectors">[heads, rows, dimension].</param>
    /// <param name="size">Rows of a block.</param>
    public static CudaMemory Means(CudaVectors vectors, int size) => Pool(vectors, size, size, sizeof(ushort));

    /// <summary>Scores of a strip of causal block pairs: mean query · mean key, rounded to bfloat16.</summary>
    /// <param name="queries">As <see cref="Means"/> gives them, [heads, blocks, width].</param>
    /// <param name="keys">As <see cref="Means"/> gives them, [KV heads, blocks, width].</param>
    /// <param name="blocks">Number of blocks.</param>
    /// <param name="heads">Number of query heads.</param>
    /// <param name="group">How many of them in a row share a KV head.</param>
    /// <param name="width">Elements of a mean.</param>
    /// <param name="first">First block row of the strip.</param>
    /// <param name="rows">Block rows of the strip.</param>
    /// <param name="scores">[heads, rows, blocks] float32.</param>
    public static void Score(CudaMemory queries, CudaMemory keys, int blocks, int heads, int group, int width, int first, int rows, CudaMemory scores)
    {
        CudaAttention.RequireDimension(width);

        // As block_scores.cu has them.
        int head = CudaAttention.RoundUp(width, 16);
        int columns = head <= 128 ? 64 : 32;
        int keyBlocks = Math.Min(blocks, first + rows);
        queries.Device.Function("block_scores.cu", "scoreMeans", ("TYPE", 0), ("HEAD", head)).Launch(
            ((keyBlocks + SplitColumns - 1) / SplitColumns, (rows + (2 * columns) - 1) / (2 * columns), heads),
            128,
            3 * columns * CudaAttention.RoundUp(head, 64) * sizeof(ushort),
            queries.Address + ((ulong)first * (ulong)width * sizeof(ushort)),
            keys,
            scores,
            first,
            rows,
            keyBlocks,
            SplitColumns,
            group,
            width,
            (long)blocks * width,
            (long)blocks * width,
            blocks);
    }

    /// <summary>output [rows, columns] = left · rightᵀ of float32 matrices on the device.</summary>
    public static void MultiplyTransposed(CudaMemory left, long leftStride, int rows, CudaMemory right, long rightStride, int columns, int depth, CudaMemory output) =>
        output.Device.Function("blocks.cu", "multiplyTransposed", ("TYPE", 0)).Launch(
            ((columns + 31) / 32, (rows + 31) / 32, 1), 256, 0, left, right, output, rows, columns, depth, leftStride, rightStride);

    private static CudaMemory Pool(CudaVectors vectors, int size, float divisor, int bytes)
    {
        int blocks = (vectors.Rows + size - 1) / size;
        CudaMemory output = CudaMemory.Allocate(vectors.Device, (long)vectors.Heads * blocks * vectors.Width * bytes);
        vectors.Device.Function("blocks.cu", "sumBlocks", vectors.TypeDefinition).Launch(
            ((int)((((long)blocks * (vectors.Width / 8)) + 127) / 128), vectors.Heads, 1),
            128,
            0,
            vectors.Address,
            output,
            vectors.Rows,
            size,
            vectors.Width,
            vectors.HeadStride,
            vectors.RowStride,
            divisor);
        return output;
    }
}

/// <summary>Quest's page bounds and scores on the device; see pages.cu.</summary>
internal static class CudaPages
{
    /// <summary>Bounds [heads, 2 x pages, dimension]: minima and maxima of each page in turn.</summary>
    public static CudaVectors Bounds(CudaVectors keys, int pageSize)
    {
        int pages = (keys.Rows + pageSize - 1) / pageSize;
        CudaVectors bounds = CudaVectors.Allocate(keys.Device, keys.Type, keys.Heads, 2 * pages, keys.Dimension);
        keys.Device.Function("pages.cu", "pageBounds", keys.TypeDefinition).Launch(
            (pages, keys.Heads, 1), CudaAttention.RoundUp(keys.Width / 2, 32), 0, keys.Address, bounds.Memory, keys.Rows, pageSize, keys.Width, keys.HeadStride, (int)keys.RowStride);
        return bounds;
    }

    /// <summary>Scores [KV heads or query heads, pages] float32 of the first pages.</summary>
    /// <param name="queries">[query heads, 1, dimension].</param>
    /// <param name="bounds">As <see cref="Bounds"/> gives them.</param>
    /// <param name="pages">Pages to score.</param>
    /// <param name="share">Whether to add up over the query heads of a KV head.</param>
    public static CudaMemory Scores(CudaVectors queries, CudaVectors bounds, int pages, bool share)
    {
        int group = queries.Heads / bounds.Heads;
        CudaMemory scores = CudaMemory.Allocate(queries.Device, (long)(share ? bounds.Heads : queries.Heads) * pages * sizeof(float));
        queries.Device.Function("pages.cu", "pageScores", queries.TypeDefinition).Launch(
            ((pages + 7) / 8, bounds.Heads, 1),
            128,
            group * queries.Width * sizeof(float),
            queries.Memory,
            bounds.Memory,
            scores,
            pages,
            group,
            queries.Width,
            bounds.HeadStride,
            pages,
            share ? 1 : 0);
        return scores;
    }
}
