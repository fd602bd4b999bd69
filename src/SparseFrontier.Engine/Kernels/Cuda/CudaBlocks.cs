using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels.Cuda;

/// <summary>Block pooling and the scores of block pairs on the device; see blocks.cu.</summary>
internal static class CudaBlocks
{
    /// <summary>Sums [heads, blocks, width] of each block of consecutive vectors.</summary>
    /// <param name="vectors">[heads, rows, dimension].</param>
    /// <param name="size">Rows of a block; the last may have fewer.</param>
    /// <param name="divisor">0 for sums; else they are divided by it and rounded to bfloat16.</param>
    public static CudaMemory Sum(CudaVectors vectors, int size, float divisor)
    {
        int blocks = (vectors.Rows + size - 1) / size;
        CudaMemory sums = CudaMemory.Allocate(vectors.Device, (long)vectors.Heads * blocks * vectors.Width * sizeof(float));
        vectors.Device.Function("blocks.cu", "sumBlocks", vectors.TypeDefinition).Launch(
            (blocks, vectors.Heads, 1),
            Math.Min(256, CudaAttention.RoundUp(vectors.Width, 32)),
            0,
            vectors.Address,
            sums,
            vectors.Rows,
            size,
            vectors.Width,
            vectors.HeadStride,
            vectors.RowStride,
            divisor);
        return sums;
    }

    /// <summary>output = left · rightᵀ of float32 matrices at addresses on the device; of several heads where they are given, of which so many in a row share a right.</summary>
    public static void MultiplyTransposed(
        CudaDevice device,
        DataType type,
        ulong left,
        long leftStride,
        int rows,
        ulong right,
        long rightStride,
        int columns,
        int depth,
        ulong output,
        long outputStride,
        bool rounded,
        int? firstCausalRow,
        int heads = 1,
        int group = 1,
        long leftHeadStride = 0,
        long rightHeadStride = 0,
        long outputHeadStride = 0) =>
        device.Function("blocks.cu", "multiplyTransposed", ("TYPE", CudaVectors.TypeValue(type))).Launch(
            ((columns + 31) / 32, (rows + 31) / 32, heads),
            256,
            0,
            left,
            right,
            output,
            rows,
            columns,
            depth,
            leftStride,
            rightStride,
            outputStride,
            rounded ? 1 : 0,
            firstCausalRow is null ? 0 : 1,
            firstCausalRow ?? 0,
            leftHeadStride,
            rightHeadStride,
            outputHeadStride,
            group);
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
