// From selections to what the prefill kernel executes: ranges of keys for tiles of rows.
#include "ptx.cuh"

// Blocks of `size` keys by block of rows, ascending, into one range each. blocks [rows][top], of which row r has min(r + 1, top); ranges likewise.
// tiles [row blocks] {first row, rows, first range, end}. Grid: row blocks.
extern "C" __global__ void blockRanges(const int* blocks, int2* ranges, int4* tiles, int firstBlockRow, int top, int size, int length, int headTiles, int firstTile)
{
    long long row = blockIdx.x;
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
// that touch are joined by whole 64s. slashes [heads][width], counts [heads]; tiles [heads][tiles]; each tile has room for `room` ranges. One thread a tile.
extern "C" __global__ void slashRanges(const int* slashes, const int* counts, int width, int2* ranges, int4* tiles, int length, int room)
{
    int allTiles = (length + 63) / 64;
    int tile = blockIdx.x * blockDim.x + threadIdx.x;
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
    int slash = inside - 1;
    int rangeEnd = max(end - slashes[slash--], 64);
    int rangeStart = rangeEnd - 64;
    while (true)
    {
        int next = slash < 0 ? 0x7fffffff : max(end - slashes[slash--], 64);
        if (next <= rangeEnd)
        {
            continue;
        }

        if (next <= rangeEnd + 64)
        {
            rangeEnd += 64;
            continue;
        }

        ranges[written++] = make_int2(rangeStart, min(rangeEnd, length));
        if (next == 0x7fffffff)
        {
            break;
        }

        rangeEnd = next;
        rangeStart = next - 64;
    }

    tiles[blockIdx.y * allTiles + tile] = make_int4(tile * 64, min(64, length - tile * 64), begin, written);
}
