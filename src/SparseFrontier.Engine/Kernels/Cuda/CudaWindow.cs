namespace SparseFrontier.Kernels.Cuda;

/// <summary>Sums of the attention of a prompt's last queries, for all heads, on the device; see window.cu.</summary>
internal sealed class CudaWindow : IDisposable
{
    private const float Log2E = 1.44269504088896341f;
    private const int Warps = 4;
    private const int Stages = 3;

    // Of the first pass: most splits of the keys, and fewest keys of a split.
    private const int MostSplits = 64;
    private const int LeastSplitKeys = 512;

    // Blocks of the second pass take several heads, which share their keys, as long as so many blocks are left.
    private const int LeastBlocks = 4096;

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
    /// <param name="scale">Usually 1/√dimension; positive.</param>
    public static CudaWindow Compute(CudaVectors queries, CudaVectors keys, int window, float scale)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(scale);
        CudaAttention.RequireDimension(queries.Dimension);
        CudaDevice device = queries.Device;
        int heads = queries.Heads;
        int length = keys.Rows;
        int group = heads / keys.Heads;
        int head = CudaAttention.RoundUp(queries.Dimension, 16);

        // As window.cu has them.
        int columns = head <= 128 ? 64 : 32;
        int rows = 2 * columns;
        int warpRows = rows / Warps;
        int lineStride = warpRows + columns + 8;
        int ring = 4 * columns;
        int stageBytes = Stages * columns * CudaAttention.RoundUp(head, 64) * 2;

        int splitKeys = Math.Max(LeastSplitKeys, CudaAttention.RoundUp((length + MostSplits - 1) / MostSplits, columns));
        int splits = (length + splitKeys - 1) / splitKeys;
        int chunks = (length + rows - 1) / rows;
        int blockHeads = (int)Math.Clamp((long)chunks * heads / LeastBlocks, 1, group);
        long sumBytes = (long)heads * length * sizeof(float);
        (string, int)[] definitions = [queries.TypeDefinition, ("HEAD", head)];
        using var statistics = CudaMemory.Allocate(device, (long)heads * splits * window * 2 * sizeof(float));
        using var logarithms = CudaMemory.Allocate(device, (long)heads * window * sizeof(float));
        using var strips = CudaMemory.Allocate(device, (long)heads * chunks * (rows + window) * sizeof(float));
        var result = new CudaWindow(CudaMemory.Allocate(device, sumBytes), CudaMemory.Allocate(device, sumBytes), CudaMemory.Allocate(device, sumBytes));
        device.Function("window.cu", "windowMaxima", definitions).Launch(
            (splits, ((group * window) + rows - 1) / rows, keys.Heads),
            32 * Warps,
            stageBytes,
            queries.Address,
            keys.Address,
            statistics,
            length,
            window,
            splitKeys,
            group,
            queries.Width,
            scale * Log2E,
            queries.HeadStride,
            queries.RowStride,
            keys.HeadStride,
            keys.RowStride);
        device.Function("window.cu", "windowLogarithms", definitions).Launch(
            (((heads * window) + 7) / 8, 1, 1), 256, 0, statistics, logarithms, splits, heads * window);
        device.Function("window.cu", "windowSums", definitions).Launch(
            (chunks, keys.Heads * ((group + blockHeads - 1) / blockHeads), 1),
            32 * Warps,
            stageBytes + (((Warps * ((8 * lineStride) + ring)) + (Stages * columns)) * sizeof(float)),
            queries.Address,
            keys.Address,
            logarithms,
            result.ColumnSums,
            result.ColumnMaxima,
            strips,
            length,
            window,
            group,
            blockHeads,
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
