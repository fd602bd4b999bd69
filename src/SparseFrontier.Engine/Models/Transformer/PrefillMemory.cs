using SparseFrontier.Tensors;

namespace SparseFrontier.Models.Transformer;

/// <summary>
/// How a prefill divides what it may take beside weights, KV cache and twice the prompt's hidden states in float32 (the residual stream, and one layer's queries or what
/// they are projected to). None of it changes a result.
/// </summary>
internal sealed record PrefillMemory
{
    /// <summary>Bytes that there are to divide.</summary>
    public const long Extra = 512_000_000;

    // Large enough chunks for matrix products.
    private const long MinimumChunkBytes = 32L << 20;
    private const long MaximumChunkBytes = 96L << 20;
    private const int MaximumChunkRows = 512;

    // Rows of a tile of attention: chunks of sliding-window layers are whole tiles, so that a row's sums do not depend on them.
    private const int TileRows = 64;

    // The plans of the heads that are selected for together, and what is estimated for each; while they are made, twice as much is alive.
    private const long MinimumSelectionBytes = 8L << 20;
    private const long MaximumSelectionBytes = 64L << 20;

    /// <summary>Rows computed at a time.</summary>
    public required int ChunkRows { get; init; }

    /// <summary>Query heads that are run at a time in global layers.</summary>
    public required int GroupHeads { get; init; }

    /// <summary>Last queries of all heads that evictions look at before, where heads are run in groups.</summary>
    public required int TailRows { get; init; }

    /// <summary>Layers that are read chunk by chunk, each seeing the window before it; the others see the whole prompt.</summary>
    public required bool[] IsSliding { get; init; }

    /// <summary>Tokens that a chunk of a sliding-window layer sees at most; 0 where there is no such layer.</summary>
    public required int SlidingTokens { get; init; }

    /// <summary>Rows of a rotary table.</summary>
    public required int RotaryRows { get; init; }

    /// <summary>Bytes of float32 copies of keys and values of some KV heads.</summary>
    public required long WidenedBytes { get; init; }

    /// <summary>Floats for the queries that are run at a time.</summary>
    public required long QueryElements { get; init; }

    /// <summary>Bytes of the plans of the heads that are selected for together, with what is estimated for each.</summary>
    public required long SelectionBytes { get; init; }

    /// <summary>Bytes that are allocated beside the named terms, selection included.</summary>
    public required long ExtraBytes { get; init; }

    /// <summary>Whether a layer sees the whole prompt at once.</summary>
    public bool HasWholeLayers => !Array.TrueForAll(IsSliding, sliding => sliding);

    /// <summary>Bytes that a head's estimates take while it is selected for: sums and ranks of keys and offsets.</summary>
    public static long EstimateBytes(int length) => 12L * sizeof(float) * length;

    /// <summary>Divides the memory of one prefill.</summary>
    /// <param name="c">The model.</param>
    /// <param name="cacheType">Type of its KV cache.</param>
    /// <param name="length">Prompt tokens.</param>
    /// <param name="request">Methods and limits.</param>
    public static PrefillMemory Divide(ModelConfiguration c, DataType cacheType, int length, PrefillRequest request)
    {
        long hiddenBytes = (long)length * c.HiddenSize * sizeof(float);
        long headBytes = (long)length * c.HeadDimension * sizeof(float);
        long keyBytes = 2L * c.KvHeads * c.HeadDimension * sizeof(float);
        (int groupHeads, int tailRows) = DivideHeads(c, length, request);
        long widened = cacheType == DataType.F32 ? 0 : Math.Clamp(request.WidenedBytes / (2 * headBytes), 1, c.KvHeads) * 2 * headBytes;
        long tail = groupHeads < c.QueryHeads ? (long)tailRows * c.QueryHeads * c.HeadDimension * sizeof(float) : 0;
        long queries = groupHeads < c.QueryHeads ? groupHeads * headBytes : Math.Max(0, (c.QueryHeads * headBytes) - hiddenBytes);

        // Chunks take a quarter of what is left, selection the rest.
        long left = Extra - widened - queries - tail;
        long rowBytes = (sizeof(float) * (c.HiddenSize + (2L * c.IntermediateSize))) + keyBytes;
        int chunkRows = request.ChunkRows ?? (int)Math.Clamp(Math.Clamp(left / 4, MinimumChunkBytes, MaximumChunkBytes) / rowBytes / TileRows * TileRows, TileRows, MaximumChunkRows);
        int largestWindow = c.SlidingWindows.Max();
        if (largestWindow > 0)
        {
            chunkRows = (chunkRows + TileRows - 1) / TileRows * TileRows;
        }

        chunkRows = Math.Min(length, chunkRows);
        bool[] sliding = [.. c.SlidingWindows.Select(window => window > 0 && SeenTokens(window) * keyBytes <= request.SlidingBytes)];
        int seen = (int)c.SlidingWindows.Where((_, layer) => sliding[layer]).Select(SeenTokens).DefaultIfEmpty().Max();
        bool whole = !Array.TrueForAll(sliding, s => s);
        long chunkQueries = seen > 0 ? (long)chunkRows * c.QueryHeads * c.HeadDimension : 0;
        long queryElements = Math.Max(whole ? (long)length * groupHeads * c.HeadDimension : 0, chunkQueries);
        if (!whole)
        {
            (widened, queries, tail) = (0, 0, 0);
        }

        int rotaryRows = (int)Math.Min(length, Math.Max(chunkRows, request.RotaryBytes / (c.HeadDimension * sizeof(float))));
        int tables = c.GlobalLayerCount < c.LayerCount ? 2 : 1;
        long rest = widened + queries + tail + (seen * keyBytes) + (chunkRows * rowBytes) + ((long)tables * rotaryRows * c.HeadDimension * sizeof(float));
        long selection = Math.Clamp((Extra - rest) / 2, MinimumSelectionBytes, MaximumSelectionBytes);

        // Evictions choose before attention does: from sums and maxima of each query head and each KV head.
        long observed = tail > 0 || request.DecodeConfigurations.Any(d => d.Method.BudgetParameter is not null) ? 2L * (c.QueryHeads + c.KvHeads) * sizeof(float) * length : 0;
        return new PrefillMemory
        {
            ChunkRows = chunkRows,
            GroupHeads = groupHeads,
            TailRows = tailRows,
            IsSliding = sliding,
            SlidingTokens = seen,
            RotaryRows = rotaryRows,
            WidenedBytes = widened,
            QueryElements = queryElements,
            SelectionBytes = selection,
            ExtraBytes = rest + Math.Max(2 * selection, observed),
        };

        long SeenTokens(int window) => Math.Min(length, window - 1L + chunkRows);
    }

    // How many heads to run at a time, and how many of the last queries of all heads evictions look at before.
    private static (int Heads, int TailRows) DivideHeads(ModelConfiguration c, int length, PrefillRequest request)
    {
        int group = c.QueryHeads / c.KvHeads;
        long headBytes = (long)length * c.HeadDimension * sizeof(float);
        int tail = Math.Min(length, request.DecodeConfigurations.Select(d => d.Method.QueriesNeeded(d.Parameters)).DefaultIfEmpty().Max());
        long excess = (c.QueryHeads * headBytes) - ((long)length * c.HiddenSize * sizeof(float));
        if (excess <= request.QueryBytes || tail > length / 2 || request.LayerObserver is not null)
        {
            return (c.QueryHeads, 0);
        }

        // Whole KV heads, or equal parts of one; groups begin at a multiple of the 64 rows in which weights are stored.
        IEnumerable<int> sizes = Enumerable.Range(1, c.KvHeads).Select(n => n * group)
            .Concat(Enumerable.Range(1, group).Where(n => group % n == 0))
            .Where(n => n * c.HeadDimension % 64 == 0 || n == c.QueryHeads)
            .Order();
        return (sizes.LastOrDefault(n => n * headBytes <= request.QueryBytes, sizes.First()), tail);
    }
}
