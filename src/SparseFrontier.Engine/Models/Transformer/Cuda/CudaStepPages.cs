using SparseFrontier.Attention;
using SparseFrontier.Kernels.Cuda;
using SparseFrontier.Tensors;

namespace SparseFrontier.Models.Transformer.Cuda;

/// <summary>By what the pages of a step are chosen on the device.</summary>
internal enum PageChoice
{
    /// <summary>No pages: the whole cache.</summary>
    None,

    /// <summary>Upper bounds of query · key (Quest).</summary>
    Bounds,

    /// <summary>Exact attention (OraclePages; OracleTopK, whose pages are single tokens).</summary>
    Attention,

    /// <summary>The first and the latest (WindowSinkPages).</summary>
    Latest,

    /// <summary>Random numbers (RandomPages).</summary>
    Drawn,
}

/// <summary>The choice of pages for the rows of a step on the device; see step_pages.cu and quest.cu. Nothing allocates or waits.</summary>
internal static class CudaStepPages
{
    // Of quest.cu.
    private const int BoundsThreads = 512;
    private const int BoundsPagesOfThread = 16;
    private const int BoundsKeys = 8192 + 2048;

    /// <summary>How the device chooses for a method; null: it cannot.</summary>
    public static PageChoice? ChoiceOf(DecodeMethod method) => method switch
    {
        DenseDecode or EvictionMethod => PageChoice.None,
        Quest => PageChoice.Bounds,
        OraclePages or OracleTopKDecode => PageChoice.Attention,
        WindowSinkPages => PageChoice.Latest,
        RandomPages => PageChoice.Drawn,
        _ => null,
    };

    /// <summary>Chooses; the lists stay in the scratch memory.</summary>
    /// <param name="device">The device.</param>
    /// <param name="type">BF16 or F16.</param>
    /// <param name="group">The rows' lists.</param>
    /// <param name="heads">Address of struct PagedHead [rows, KV heads].</param>
    /// <param name="headCount">Rows x KV heads.</param>
    /// <param name="queriesOfHead">Query heads of a KV head.</param>
    /// <param name="dimension">Elements of a vector.</param>
    /// <param name="scale">Factor on query · key.</param>
    /// <param name="queries">Address of [rows, query heads, dimension].</param>
    /// <param name="draws">Address of the states of RandomSource by list, [rows, query heads, 4]; read where pages are drawn.</param>
    /// <param name="scratch">Address of as much memory as <see cref="ScratchBytes"/> tells.</param>
    /// <param name="clocks">Address of two clocks, the second 0: when it began and ended; or 0.</param>
    public static CudaTokenListView Choose(
        CudaDevice device,
        DataType type,
        CudaStepGroup group,
        ulong heads,
        int headCount,
        int queriesOfHead,
        int dimension,
        float scale,
        ulong queries,
        ulong draws,
        ulong scratch,
        ulong clocks)
    {
        (string, int) definition = ("TYPE", CudaVectors.TypeValue(type));
        int lists = Lists(group, headCount, queriesOfHead);
        int listsOfHead = lists / headCount;
        int rows = group.End - group.First;
        ulong offsets = scratch;
        ulong candidates = offsets + ((ulong)lists * sizeof(long));
        ulong wanted = candidates + ((ulong)lists * sizeof(int));
        ulong tokens = wanted + ((ulong)lists * sizeof(int));
        ulong ready = tokens + ((ulong)lists * sizeof(int));
        ulong pages = ready + ((ulong)lists * sizeof(int));
        ulong scores = pages + ((ulong)lists * (ulong)group.Width * sizeof(int));
        ulong products = scores + ((ulong)lists * (ulong)group.MostPages * sizeof(float));
        var view = new CudaTokenListView(lists, group.Longest, group.PageSize, tokens, offsets, pages, group.Choice == PageChoice.Bounds ? ready : 0);
        if (group.Choice == PageChoice.Bounds)
        {
            if (group.Follows)
            {
                device.Function("quest.cu", "extendBounds", definition, ("LANES", 16)).Launch((headCount, 1, 1), 64, 0, heads, group.PageSize, dimension);
            }

            int lanes = dimension <= 64 ? 8 : dimension <= 128 ? 16 : 32;
            int pagesOfBlock = BoundsThreads / lanes * BoundsPagesOfThread;
            device.Function("quest.cu", "questPages", definition, ("LANES", lanes)).Launch(
                ((group.MostPages + pagesOfBlock - 1) / pagesOfBlock, headCount, 1),
                BoundsThreads,
                Math.Max(listsOfHead * lanes * 16, BoundsKeys) * sizeof(float),
                queries,
                heads,
                scores,
                pages,
                tokens,
                offsets,
                ready,
                device.Arrivals(headCount, 1),
                group.PageSize,
                queriesOfHead,
                listsOfHead,
                dimension,
                group.MostPages,
                group.Width,
                group.Follows ? 0 : 1,
                clocks);
            return view;
        }

        device.Function("step_pages.cu", "pageCounts", definition).Launch(
            ((lists + 127) / 128, 1, 1), 128, 0, heads, lists, listsOfHead, group.PageSize, group.Width, candidates, wanted, tokens, offsets, clocks);
        switch (group.Choice)
        {
            case PageChoice.Attention:
                int stride = group.MostPages * group.PageSize;
                device.Function("step_pages.cu", "tokenProducts", definition).Launch(
                    ((stride + 7) / 8, headCount, 1),
                    128,
                    queriesOfHead * dimension * sizeof(float),
                    queries,
                    heads,
                    products,
                    group.PageSize,
                    queriesOfHead,
                    dimension,
                    stride);
                device.Function("step_pages.cu", "pageAttention", definition).Launch(
                    (lists, 1, 1),
                    512,
                    queriesOfHead * (sizeof(double) + sizeof(float)),
                    heads,
                    products,
                    scores,
                    group.PageSize,
                    queriesOfHead,
                    listsOfHead,
                    stride,
                    group.MostPages,
                    scale);
                break;
            case PageChoice.Latest:
                device.Function("step_pages.cu", "latestPages", definition).Launch(
                    ((group.MostPages + 127) / 128, lists, 1), 128, 0, heads, scores, listsOfHead, group.PageSize, group.MostPages);
                break;
            case PageChoice.Drawn:
                device.Function("step_pages.cu", "drawnPages", definition).Launch(
                    ((lists + 31) / 32, 1, 1),
                    32,
                    0,
                    heads,
                    draws,
                    scores,
                    lists,
                    listsOfHead,
                    lists / rows,
                    headCount / rows * queriesOfHead,
                    group.PageSize,
                    group.MostPages);
                break;
            default:
                throw new ArgumentException("These rows have no pages.", nameof(group));
        }

        int threads = CudaSelection.Threads(group.MostPages, lists);
        device.Function("select.cu", "selectLargest", ("TYPE", 0), ("THREADS", threads)).Launch(
            (lists, 1, 1), threads, 0, scores, (long)group.MostPages, candidates, 0, 0, group.MostPages, wanted, pages, group.Width, 0UL, 0, 0);
        device.Function("step_pages.cu", "finishPages", definition).Launch((lists, 1, 1), 128, 0, heads, listsOfHead, group.PageSize, pages, group.Width, clocks);
        return view;
    }

    /// <summary>Bytes of scratch memory, a multiple of 256; 0 where there are no pages.</summary>
    public static long ScratchBytes(CudaStepGroup group, int headCount, int queriesOfHead)
    {
        if (group.PageSize == 0)
        {
            return 0;
        }

        long lists = Lists(group, headCount, queriesOfHead) * (24 + (4L * group.Width) + (4L * group.MostPages));
        long products = group.Choice == PageChoice.Attention ? 4L * headCount * queriesOfHead * group.MostPages * group.PageSize : 0;
        return (lists + products + 255) / 256 * 256;
    }

    private static int Lists(CudaStepGroup group, int headCount, int queriesOfHead) => headCount * (group.SharesPages ? 1 : queriesOfHead);
}
