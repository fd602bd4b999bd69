using SparseFrontier.Kernels.Cuda;
using SparseFrontier.Tensors;

namespace SparseFrontier.Models.Transformer.Cuda;

/// <summary>Quest's choice of pages for the rows of a step on the device; see quest.cu. Nothing allocates or waits.</summary>
internal static class CudaQuest
{
    /// <summary>Chooses; the lists stay in the scratch memory.</summary>
    /// <param name="device">The device.</param>
    /// <param name="type">BF16 or F16.</param>
    /// <param name="group">The rows' lists.</param>
    /// <param name="heads">Address of struct PagedHead [rows, KV heads].</param>
    /// <param name="headCount">Rows x KV heads.</param>
    /// <param name="queriesOfHead">Query heads of a KV head.</param>
    /// <param name="dimension">Elements of a vector.</param>
    /// <param name="queries">Address of [rows, query heads, dimension].</param>
    /// <param name="scratch">Address of as much memory as <see cref="ScratchBytes"/> tells.</param>
    /// <param name="clocks">Address of two clocks, the second 0: when it began and ended; or 0.</param>
    public static CudaTokenListView Choose(
        CudaDevice device, DataType type, CudaStepGroup group, ulong heads, int headCount, int queriesOfHead, int dimension, ulong queries, ulong scratch, ulong clocks)
    {
        (string, int) definition = ("TYPE", CudaVectors.TypeValue(type));
        int lists = Lists(group, headCount, queriesOfHead);
        int listsOfHead = lists / headCount;
        ulong offsets = scratch;
        ulong candidates = offsets + ((ulong)lists * sizeof(long));
        ulong wanted = candidates + ((ulong)lists * sizeof(int));
        ulong tokens = wanted + ((ulong)lists * sizeof(int));
        ulong pages = tokens + ((ulong)lists * sizeof(int));
        ulong scores = pages + ((ulong)lists * (ulong)group.Width * sizeof(int));
        device.Function("quest.cu", "extendBounds", definition).Launch((headCount, 1, 1), 64, 0, heads, group.PageSize, dimension, dimension, clocks);
        device.Function("quest.cu", "questCounts", definition).Launch(
            ((lists + 127) / 128, 1, 1), 128, 0, heads, lists, listsOfHead, group.PageSize, group.Width, candidates, wanted, tokens, offsets);
        device.Function("quest.cu", "questScores", definition).Launch(
            ((group.MostPages + 7) / 8, headCount, 1),
            128,
            queriesOfHead * dimension * sizeof(float),
            queries,
            heads,
            scores,
            group.PageSize,
            queriesOfHead,
            dimension,
            group.MostPages,
            listsOfHead == 1 ? 1 : 0);
        device.Function("select.cu", "selectLargest", ("TYPE", 0)).Launch(
            (lists, 1, 1), 512, 0, scores, (long)group.MostPages, candidates, 0, 0, group.MostPages, wanted, pages, group.Width, 0UL, 0, 0);
        device.Function("quest.cu", "finishPages", definition).Launch((lists, 1, 1), 128, 0, heads, listsOfHead, group.PageSize, pages, group.Width, clocks);
        return new CudaTokenListView(lists, group.Longest, group.PageSize, tokens, offsets, pages);
    }

    /// <summary>Bytes of scratch memory, a multiple of 256; 0 where there are no pages.</summary>
    public static long ScratchBytes(CudaStepGroup group, int headCount, int queriesOfHead) => group.PageSize == 0
        ? 0
        : ((Lists(group, headCount, queriesOfHead) * (20 + (4L * group.Width) + (4L * group.MostPages))) + 255) / 256 * 256;

    private static int Lists(CudaStepGroup group, int headCount, int queriesOfHead) => headCount * (group.SharesPages ? 1 : queriesOfHead);
}
