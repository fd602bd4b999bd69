namespace SparseFrontier.Kernels.Cuda;

/// <summary>Sums of the attention of a prompt's last queries, for all heads, on the device; see window.cu.</summary>
internal sealed class CudaWindow : IDisposable
{
    private const float Log2E = 1.44269504088896341f;
    private const int SplitKeys = 2048;
    private const int ChunkKeys = 256;

    private CudaWindow(CudaMemory columnSums, CudaMemory diagonalSums, CudaMemory columnMaxima)
    {
        ColumnSums = columnSums;
        DiagonalSums = diagonalSums;
        ColumnMaxima = columnMaxima;
    }

    /// <summary>[query heads, length] float32: by key.</summary>
    public CudaMemory ColumnSums { get; }

    /// <summary>[query heads, length] float32: by offset query - key.</summary>
    public CudaMemory DiagonalSums { get; }

    /// <summary>[query heads, length] float32: largest weight of a key.</summary>
    public CudaMemory ColumnMaxima { get; }

    /// <summary>Computes them.</summary>
    /// <param name="queries">[query heads, length, dimension].</param>
    /// <param name="keys">[KV heads, length, dimension].</param>
    /// <param name="window">Number of last queries, at most the length.</param>
    /// <param name="scale">Usually 1/√dimension.</param>
    public static CudaWindow Compute(CudaVectors queries, CudaVectors keys, int window, float scale)
    {
        CudaAttention.RequireDimension(queries.Dimension);
        CudaDevice device = queries.Device;
        int heads = queries.Heads;
        int length = keys.Rows;
        int group = heads / keys.Heads;
        int head = CudaAttention.RoundUp(queries.Dimension, 16);
        int splits = (length + SplitKeys - 1) / SplitKeys;
        int chunks = (length + ChunkKeys - 1) / ChunkKeys;
        int tileBytes = 2 * 64 * (head + 8);
        long sumBytes = (long)heads * length * sizeof(float);
        (string, int)[] definitions = [queries.TypeDefinition, ("HEAD", head)];
        using var statistics = CudaMemory.Allocate(device, (long)heads * splits * window * 2 * sizeof(float));
        using var logarithms = CudaMemory.Allocate(device, (long)heads * window * sizeof(float));
        using var strips = CudaMemory.Allocate(device, (long)heads * chunks * (ChunkKeys + window) * sizeof(float));
        var result = new CudaWindow(CudaMemory.Allocate(device, sumBytes), CudaMemory.Allocate(device, sumBytes), CudaMemory.Allocate(device, sumBytes));
        device.Function("window.cu", "windowMaxima", definitions).Launch(
            (splits, (window + 63) / 64, heads),
            128,
            3 * tileBytes,
            queries.Address,
            keys.Address,
            statistics,
            length,
            window,
            SplitKeys,
            group,
            queries.Width,
            scale * Log2E,
            queries.HeadStride,
            queries.RowStride,
            keys.HeadStride,
            keys.RowStride);
        device.Function("window.cu", "windowLogarithms", definitions).Launch((heads, 1, 1), 256, 0, statistics, logarithms, splits, window);
        device.Function("window.cu", "windowSums", definitions).Launch(
            (chunks, heads, 1),
            128,
            ((head <= 128 ? 3 : 2) * tileBytes) + (((64 * 65) + ChunkKeys + window) * sizeof(float)),
            queries.Address,
            keys.Address,
            logarithms,
            result.ColumnSums,
            result.ColumnMaxima,
            strips,
            length,
            window,
            group,
            queries.Width,
            scale * Log2E,
            queries.HeadStride,
            queries.RowStride,
            keys.HeadStride,
            keys.RowStride);
        device.Function("window.cu", "windowDiagonals", definitions).Launch(
            ((length + 255) / 256, heads, 1), 256, 0, strips, result.DiagonalSums, length, window, chunks);
        return result;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        ColumnSums.Dispose();
        DiagonalSums.Dispose();
        ColumnMaxima.Dispose();
    }
}
