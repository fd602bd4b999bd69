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
// Cost. One warp a row block: a few votes for each run of slashes that lie further apart than a block, or for each slash that does not; two looks into shared memory for
// each vertical before the last range's end. Dynamic shared memory: for each warp a byte for each 64 keys up to the last row, rounded up to 16.

#include "row_list.cuh"

extern "C" __global__ void vertical_slash_lists(
    const int* verticals, const int* slashes, RowList* rowLists, int* blockStarts, int* columns,
    int heads, int verticalCount, int slashCount, int rowBlocks, int firstPosition, int keyLength, int room)
{
    // Where in each 64 keys a block starts; none: 255. Blocks do not overlap, so that it is one at most.
    extern __shared__ int4 memory[];
    const unsigned all = ~0u;
    int lane = threadIdx.x % 32;
    int item = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
    if (item >= heads * rowBlocks) return;
    int cellWords = (firstPosition + rowBlocks * 64 + 1023) / 1024;
    unsigned char* cells = reinterpret_cast<unsigned char*>(memory + threadIdx.x / 32 * cellWords);
    int head = item / rowBlocks;
    int end = firstPosition + (item - head * rowBlocks + 1) * 64;
    int firstRow = end - 64;
    const int* headSlashes = slashes + (long long)head * slashCount;
    const int* headVerticals = verticals + (long long)head * verticalCount;
    int* blocks = blockStarts + (long long)item * room;
    int* singles = columns + (long long)item * verticalCount;
    for (int i = lane; i < (end + 1023) / 1024; i += 32) memory[threadIdx.x / 32 * cellWords + i] = make_int4(-1, -1, -1, -1);
    __syncwarp();

    // Slashes that reach into these rows, a prefix: 32 places between what is inside and what may be are looked at at a time.
    int inside = 0;
    for (int open = slashCount; open > 0;)
    {
        int step = (open + 31) / 32;
        int slash = lane * step < open ? __ldg(headSlashes + inside + lane * step) : -1;
        int found = __popc(__ballot_sync(all, slash >= 0 && slash < end));
        if (found == 0) break;
        int looked = (found - 1) * step + 1;
        inside += looked;
        open = min(step - 1, open - looked);
    }

    int rangeEnd = -64, count = 0, masked = 0;
    for (int next = inside - 1; next >= 0; next -= 32)
    {
        int index = next - lane;
        int slashEnd = index >= 0 ? max(end - __ldg(headSlashes + max(index, 0)), 64) : 0;
        int endBefore = __shfl_up_sync(all, slashEnd, 1);
        unsigned apart = __ballot_sync(all, lane > 0 && index >= 0 && slashEnd > endBefore + 64);
        unsigned beyond;
        while ((beyond = __ballot_sync(all, slashEnd > rangeEnd && index >= 0)) != 0)
        {
            // The first that reaches further extends the range, or begins one; then all that follow it apart are ranges of their own.
            int first = __ffs(beyond) - 1;
            int firstEnd = __shfl_sync(all, slashEnd, first);
            bool extends = firstEnd <= rangeEnd + 64;
            unsigned after = extends || first == 31 ? 0 : ~(apart >> (first + 1));
            int more = extends || first == 31 ? 0 : __ffs(after) - 1;
            int start = lane == first && extends ? rangeEnd : slashEnd - 64;
            if (lane >= first && lane <= first + more)
            {
                blocks[room - 1 - (count + lane - first)] = start;
                cells[start / 64] = start % 64;
                masked += start + 63 > firstRow || start + 64 > keyLength;
            }

            rangeEnd = __shfl_sync(all, start, first + more) + 64;
            count += more + 1;
        }
    }

    masked = __reduce_add_sync(all, masked);
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
            // In a block that starts in the same 64 keys, at or before it, or in those before, after its place among them.
            int place = vertical % 64;
            int before = vertical >= 64 ? cells[vertical / 64 - 1] : 255;
            single = cells[vertical / 64] > place && (before == 255 || before <= place);
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
