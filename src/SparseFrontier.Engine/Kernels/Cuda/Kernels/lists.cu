// From selections to what the prefill kernel executes: ranges of keys for tiles of rows.
#include "ptx.cuh"
#include "row_list.cuh"

// Blocks of `size` keys by block of rows, ascending, into one range each. blocks [rows][top], of which row r has min(r + 1, top); ranges likewise.
// tiles [heads][headTiles] {first row, rows, first range, end}. Grid: row blocks, heads.
extern "C" __global__ void blockRanges(const int* blocks, int2* ranges, int4* tiles, int firstBlockRow, int top, int size, int length, int headTiles)
{
    long long row = (long long)blockIdx.y * gridDim.x + blockIdx.x;
    int firstTile = blockIdx.y * headTiles;
    int block = firstBlockRow + blockIdx.x;
    int count = min(block + 1, top);
    for (int i = threadIdx.x; i < count; i += blockDim.x)
    {
        int first = blocks[row * top + i] * size;
        ranges[(long long)(firstTile + block) * top + i] = make_int2(first, min(length, first + size));
    }

    if (threadIdx.x == 0)
    {
        int begin = (firstTile + block) * top;
        tiles[firstTile + block] = make_int4(block * size, min(size, length - block * size), begin, begin + count);
    }
}

// Slashes (offsets query - key, ascending, the first 0) of a head into ranges of tiles of 64 rows: each slash is the 64 keys up to the tile's end less the slash; ranges
// that touch are joined by whole 64s. slashes [heads][width], counts [heads]; tiles [heads][tiles]; each tile has room for `room` ranges. One warp a tile, which votes on the next
// slash of 32 that reaches beyond the range so far. Grid: fours of tiles, heads.
extern "C" __global__ void slashRanges(const int* slashes, const int* counts, int width, int2* ranges, int4* tiles, int length, int room)
{
    int allTiles = (length + 63) / 64;
    int tile = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    int lane = threadIdx.x & 31;
    if (tile >= allTiles)
    {
        return;
    }

    slashes += (long long)blockIdx.y * width;
    int end = (tile + 1) * 64;
    int inside = 0;
    int right = counts[blockIdx.y];
    while (inside < right)
    {
        int middle = (inside + right) >> 1;
        if (slashes[middle] < end) inside = middle + 1; else right = middle;
    }

    int begin = (blockIdx.y * allTiles + tile) * room;
    int written = begin;
    int rangeEnd = max(end - slashes[inside - 1], 64);
    int rangeStart = rangeEnd - 64;
    for (int next = inside - 1; next >= 0; next -= 32)
    {
        int slashEnd = max(end - __ldg(slashes + max(next - lane, 0)), 64);     // below the first slash it is read again
        unsigned beyond;
        while ((beyond = __ballot_sync(AllLanes, slashEnd > rangeEnd)) != 0)
        {
            int nextEnd = __shfl_sync(AllLanes, slashEnd, __ffs(beyond) - 1);
            if (nextEnd <= rangeEnd + 64)
            {
                rangeEnd += 64;
                continue;
            }

            if (lane == 0)
            {
                ranges[written] = make_int2(rangeStart, rangeEnd);
            }

            written++;
            rangeEnd = nextEnd;
            rangeStart = nextEnd - 64;
        }
    }

    if (lane == 0)
    {
        ranges[written] = make_int2(rangeStart, min(rangeEnd, length));
        tiles[blockIdx.y * allTiles + tile] = make_int4(tile * 64, min(64, length - tile * 64), begin, written + 1);
    }
}

// Chosen blocks of `size` keys into the lists of prefill_hopper.cu, whose row blocks have as many rows as a block has keys: the own block, which needs the mask, first, then
// the others, which every row sees whole. blocks [rows][top] ascending, of which row r has min(r + 1, top), its own the last; blockStarts likewise. rowLists [heads][headLists]. Grid: row blocks,
// heads.
extern "C" __global__ void blockLists(const int* blocks, RowList* rowLists, int* blockStarts, int firstBlockRow, int top, int size, int headLists)
{
    long long row = (long long)blockIdx.y * gridDim.x + blockIdx.x;
    int firstList = blockIdx.y * headLists;
    int block = firstBlockRow + blockIdx.x;
    int count = min(block + 1, top);
    int begin = (firstList + block) * top;
    for (int i = threadIdx.x; i < count; i += blockDim.x)
    {
        blockStarts[begin + i] = blocks[row * top + count - 1 - i] * size;
    }

    if (threadIdx.x == 0)
    {
        RowList list;
        list.blockBegin = begin;
        list.maskedBlocks = 1;
        list.fullBlocks = count - 1;
        list.columnBegin = 0;
        list.columnCount = 0;
        list.unused[0] = list.unused[1] = list.unused[2] = 0;
        rowLists[firstList + block] = list;
    }
}

static __device__ __forceinline__ int firstColumnFrom(const int* columns, int count, int key)
{
    int from = 0;
    while (from < count)
    {
        int middle = (from + count) >> 1;
        if (columns[middle] < key) from = middle + 1; else count = middle;
    }

    return from;
}

// Sum over positions 0..position of the number of a range's keys that are not after the position.
static __device__ __forceinline__ long long seenUpTo(int position, int2 range)
{
    long long growing = max(0, min(position, range.y - 1) - range.x + 1);
    long long full = max(0, position - max(range.y - 1, range.x - 1));
    return growing * (growing + 1) / 2 + full * (range.y - range.x);
}

// Query-key pairs of plans of 64-row tiles over ranges and columns, as AttentionPlan.CountPairs counts them, and what the portable kernel executes for them
// (CudaPlans.CountExecutedPairs): counts [plans][4] += {attended pairs, executed pairs, 64-key blocks of ranges, columns before ranges}. One warp a tile, a lane every 32nd range
// with the columns before it. Grid: fours of tiles, plans.
extern "C" __global__ void countPairs(
    const int4* tiles, const int2* ranges, const int* columnOffsets, const int* columnCounts, const int* columns, int tileCount, int length, int stepKeys, unsigned long long* counts)
{
    int index = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    int lane = threadIdx.x & 31;
    if (index >= tileCount)
    {
        return;
    }

    int plan = blockIdx.y;
    int4 tile = tiles[(long long)plan * tileCount + index];
    const int* list = columns + columnOffsets[plan];
    int listed = columnCounts[plan];
    int first = tile.x;
    int last = tile.x + tile.y - 1;
    long long pairs = 0;
    int groups = 0, blocks = 0, before = 0, covered = 0;
    for (int i = tile.z + lane; i <= tile.w; i += 32)
    {
        // Columns between the last range and this one, or the end.
        int2 range = i < tile.w ? ranges[i] : make_int2(length, length);
        int from = firstColumnFrom(list, listed, i > tile.z ? ranges[i - 1].y : 0);
        int to = firstColumnFrom(list, listed, min(range.x, last + 1));
        int whole = firstColumnFrom(list, listed, min(range.x, first + 1));
        if (to > from)
        {
            whole = max(from, min(whole, to));
            pairs += (long long)(whole - from) * tile.y;
            for (int c = whole; c < to; c++)
            {
                pairs += last - list[c] + 1;
            }
        }

        if (i < tile.w)
        {
            pairs += seenUpTo(last, range) - seenUpTo(first - 1, range);
            int end = min(range.y, last + 1);
            int start = firstColumnFrom(list, listed, range.x);
            groups += max(0, end - range.x + 15) / 16;
            blocks += (range.y - range.x + 63) / 64;
            before += max(0, start - from);
            covered += end > range.x ? firstColumnFrom(list, listed, end) - start : 0;
        }
    }

#pragma unroll
    for (int distance = 16; distance > 0; distance >>= 1)
    {
        pairs += __shfl_xor_sync(AllLanes, pairs, distance);
        groups += __shfl_xor_sync(AllLanes, groups, distance);
        blocks += __shfl_xor_sync(AllLanes, blocks, distance);
        before += __shfl_xor_sync(AllLanes, before, distance);
        covered += __shfl_xor_sync(AllLanes, covered, distance);
    }

    if (lane == 0)
    {
        long long single = firstColumnFrom(list, listed, last + 1) - covered;
        long long steps = (groups * 16LL + stepKeys - 1) / stepKeys + (single + stepKeys - 1) / stepKeys;
        atomicAdd(counts + plan * 4, static_cast<unsigned long long>(pairs));
        atomicAdd(counts + plan * 4 + 1, static_cast<unsigned long long>(steps * stepKeys * 64));
        atomicAdd(counts + plan * 4 + 2, static_cast<unsigned long long>(blocks));
        atomicAdd(counts + plan * 4 + 3, static_cast<unsigned long long>(before));
    }
}
