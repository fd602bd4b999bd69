// Block and column lists of vertical-slash attention, for 64-row blocks of every head at once.
//
// Formula. A head keeps key columns (verticals) and query-key offsets (slashes, the first 0). In the 64 rows that end before position
// `end`, slash s is the 64 keys that end before max(end - s, 64). Taken from the largest offset on, a slash that ends within the current
// range adds nothing; one that ends at most 64 keys further extends the range by a whole 64; any other begins a range. Ranges are lists
// of 64-key blocks; verticals outside the ranges and before the last range's end are single columns. (MInference's conversion; the
// engine's VerticalSlashPlan is the reference.)
//
// Layout. verticals [heads, verticalCount], slashes [heads, slashCount], ascending, short rows filled with -1. Out: rowLists
// [heads, rowBlocks]; blockStarts [heads, rowBlocks, room], filled from the back, so that a list descends and its masked blocks,
// the ones near the diagonal, come first; columns [heads, rowBlocks, verticalCount]. Blocks do not overlap and are no more than slashes:
// the fewer of slashCount and the 64-key blocks of all keys are room for them.
//
// Cost. One warp a row block: a vote for each emitted block, and a binary search among the blocks for each vertical before the last range's end.

#include "row_list.cuh"

extern "C" __global__ void vertical_slash_lists(
    const int* verticals, const int* slashes, RowList* rowLists, int* blockStarts, int* columns,
    int heads, int verticalCount, int slashCount, int rowBlocks, int firstPosition, int keyLength, int room)
{
    const unsigned all = ~0u;
    int lane = threadIdx.x % 32;
    int item = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
    if (item >= heads * rowBlocks) return;
    int head = item / rowBlocks;
    int end = firstPosition + (item - head * rowBlocks + 1) * 64;
    int firstRow = end - 64;
    const int* headSlashes = slashes + (long long)head * slashCount;
    const int* headVerticals = verticals + (long long)head * verticalCount;
    int* blocks = blockStarts + (long long)item * room;
    int* singles = columns + (long long)item * verticalCount;

    // Slashes that reach into these rows: a prefix.
    int inside = 0;
    for (int high = slashCount; inside < high;)
    {
        int middle = (inside + high) / 2;
        int slash = __ldg(headSlashes + middle);
        if (slash >= 0 && slash < end) inside = middle + 1;
        else high = middle;
    }

    int rangeEnd = -64, count = 0, masked = 0, held = 0;
    for (int next = inside - 1; next >= 0; next -= 32)
    {
        int index = next - lane;
        int slashEnd = index >= 0 ? max(end - __ldg(headSlashes + max(index, 0)), 64) : 0;
        unsigned beyond;
        while ((beyond = __ballot_sync(all, slashEnd > rangeEnd && index >= 0)) != 0)
        {
            int nextEnd = __shfl_sync(all, slashEnd, __ffs(beyond) - 1);
            int start = nextEnd <= rangeEnd + 64 ? rangeEnd : nextEnd - 64;
            rangeEnd = start + 64;
            masked += start + 63 > firstRow || start + 64 > keyLength;
            if (lane == count % 32) held = start;
            if (++count % 32 == 0) blocks[room - 1 - (count - 32 + lane)] = held;
        }
    }

    if (lane < count % 32) blocks[room - 1 - (count - count % 32 + lane)] = held;
    __syncwarp();

    int kept = 0;
    for (int first = 0; first < verticalCount; first += 32)
    {
        int vertical = first + lane < verticalCount ? __ldg(headVerticals + first + lane) : -1;
        bool single = vertical >= 0 && vertical < rangeEnd;

        // Those that count are a prefix, and a short row is mostly filled up.
        if (__ballot_sync(all, single) == 0) break;
        if (single)
        {
            int low = 0;    // blocks that start at or before the vertical, counted from the lowest
            for (int high = count; low < high;)
            {
                int middle = (low + high) / 2;
                if (blocks[room - 1 - middle] <= vertical) low = middle + 1;
                else high = middle;
            }

            single = low == 0 || vertical >= blocks[room - low] + 64;
        }

        unsigned keep = __ballot_sync(all, single);
        if (single) singles[kept + __popc(keep & ((1u << lane) - 1))] = vertical;
        kept += __popc(keep);
    }

    if (lane == 0)
    {
        RowList list;
        list.blockBegin = item * room + room - count;
        list.maskedBlocks = masked;
        list.fullBlocks = count - masked;
        list.columnBegin = item * verticalCount;
        list.columnCount = kept;
        list.unused[0] = list.unused[1] = list.unused[2] = 0;
        rowLists[item] = list;
    }
}
