// The producing side of prefill_hopper.cu: its arguments, the order of an item's tiles, and the copies that fill the ring.
#pragma once

#include "hopper.cuh"
#include "row_list.cuh"

constexpr int Warpgroups = ROWS / 64;
constexpr bool Shared = ROWS == 64 && HEAD_DIM < 256;                // two thread blocks share a multiprocessor
constexpr int Idle = ROWS == 64 && !Shared;                          // a warpgroup that only lends its registers
constexpr int Threads = 128 * (1 + Warpgroups + Idle);
constexpr int Panels = HEAD_DIM / 64;                                // a panel is 64 dimensions: 128 bytes, the span of the swizzle
constexpr int BoxKeys = BLOCK < KEYS ? BLOCK : KEYS;                 // keys of one copy
constexpr int BlocksPerTile = KEYS / BoxKeys;
constexpr int TilesPerBlock = BLOCK / BoxKeys;
constexpr int SlotBytes = KEYS * HEAD_DIM * 2;
constexpr int QueryBytes = ROWS * HEAD_DIM * 2;
constexpr int RingOffset = QUERY_STAGES * QueryBytes;
constexpr int BarrierOffset = RingOffset + SLOTS * SlotBytes;        // end of the tiles; at most 1 KiB follows

// Registers of a thread, moved from the producer to the consumers. A thread block can hand out only what it was started with: 2 x 128
// where two share a multiprocessor, 3 x 168 where it has three warpgroups and the multiprocessor for itself.
constexpr int ProducerRegisters = Shared ? (COLUMNS ? 56 : 40) : ROWS == 192 ? 32 : (COLUMNS ? 40 : 24);
constexpr int ConsumerRegisters = Shared ? (COLUMNS ? 200 : 216) : ROWS == 192 ? 160 : (COLUMNS ? 232 : 240);

struct Arguments
{
    TensorMap query;    // dims (dim, row, head, batch), box (64, ROWS, 1, 1)
    TensorMap key;      // dims (dim, key, KV head, batch), box (64, BoxKeys, 1, 1)
    TensorMap value;    // as key
    Element* output;
    float* logSumExp;               // [batch, head, row], natural logarithm; or null
    const RowList* rowLists;        // [batch, head, row block]; null for dense causal
    const int* blockStarts;         // first key of each block, any value >= 0
    const int* columns;
    const Element* keys;            // for gathered columns
    const Element* values;
    u32* scheduler;                 // two words, zero before the first launch; the kernel leaves them zero
    u64* counters;                  // + masked tiles, full tiles, gathered columns, items; or null
    long long outputBatchStride, outputHeadStride, outputRowStride;     // in elements
    long long keyBatchStride, keyHeadStride, keyRowStride;              // of keys and of values, in elements
    int batch, heads, kvHeads;
    int queryLength, keyLength;
    int queryOffset;                // position of query row 0 among the keys; keyLength or more: no causal mask
    int headDim;                    // true dimensions, a multiple of 8 up to HEAD_DIM
    float scaleLog2;                // softmax scale * log2(e)
    int window;                     // keys that a row may see, its own the last; 0: all before it
};

/// An item as its consumers see it.
struct Item { int tiles, maskedTiles, row, head, batch, unused[3]; };

/// One tile of an item: the starts of its blocks, or (columns > 0) a run of the column list.
struct Tile { int start[BlocksPerTile]; int columns; };

/// Which tiles an item has, and in which order: masked blocks, the short column tile, full blocks, whole column tiles.
struct Walk
{
    const int* starts;      // null: dense
    const int* columns;
    int outside;            // a start beyond all keys: the copy engine fills its block with zeros and the mask hides it
    int blocks, padding;    // padding: blocks that the first tile lacks
    int blockTiles, maskedBlockTiles;
    int firstTile, lowTiles, fullTiles;     // dense: first tile, masked tiles at the window's edge, tiles between them and the diagonal
    int columnCount, shortColumns;
    int tiles, maskedTiles;

    DEVICE Tile tile(int t) const
    {
        Tile result;
        result.columns = 0;
#if COLUMNS
        if (shortColumns > 0 && t == maskedBlockTiles)
        {
            result.start[0] = 0;
            result.columns = shortColumns;
            return result;
        }

        if (shortColumns > 0 && t > maskedBlockTiles) t--;
        if (t >= blockTiles)
        {
            result.start[0] = shortColumns + (t - blockTiles) * KEYS;
            result.columns = KEYS;
            return result;
        }
#endif
        if (starts == nullptr)
        {
            int behind = t < lowTiles ? t : t < maskedBlockTiles ? fullTiles + t : lowTiles + t - maskedBlockTiles;
            int first = (firstTile + behind) * KEYS;
#pragma unroll
            for (int i = 0; i < BlocksPerTile; i++) result.start[i] = first + i * BoxKeys;
        }
        else
        {
#pragma unroll
            for (int i = 0; i < BlocksPerTile; i++)
            {
                int block = (TilesPerBlock > 1 ? t / TilesPerBlock : t * BlocksPerTile) + i - padding;
                result.start[i] = block < 0 ? outside : __ldg(starts + block) + (TilesPerBlock > 1 ? t % TilesPerBlock * BoxKeys : 0);
            }
        }

        return result;
    }
};

DEVICE Walk walk_of(const Arguments& a, const Item& item, int rowBlocks)
{
    Walk walk;
    walk.columnCount = 0;
    walk.shortColumns = 0;
    walk.columns = nullptr;
    walk.outside = (a.keyLength + 255) & ~255;
    if (a.rowLists == nullptr)
    {
        walk.starts = nullptr;
        walk.padding = 0;
        int first = a.queryOffset + item.row;
        int last = a.queryOffset + min(item.row + ROWS, a.queryLength) - 1;
        int end = (max(0, min(last + 1, a.keyLength)) + KEYS - 1) / KEYS;
        int diagonal = max(0, min(first + 1, a.keyLength)) / KEYS;      // tiles before it are seen to their last key by the first row
        int inside = 0;                                                 // tiles from it on are seen from their first key by the last row
        walk.firstTile = 0;
        if (a.window > 0)
        {
            walk.firstTile = min(end, max(0, first - a.window + 1) / KEYS);
            inside = min(end, (max(0, last - a.window + 1) + KEYS - 1) / KEYS);
        }

        walk.lowTiles = max(0, inside - walk.firstTile);
        walk.fullTiles = max(0, diagonal - walk.firstTile - walk.lowTiles);
        walk.blockTiles = end - walk.firstTile;
        walk.maskedBlockTiles = walk.blockTiles - walk.fullTiles;
        walk.blocks = walk.blockTiles;
    }
    else
    {
        long long index = ((long long)item.batch * a.heads + item.head) * rowBlocks + item.row / ROWS;
        int4 blocks = __ldg((const int4*)(a.rowLists + index));
        walk.starts = a.blockStarts + blocks.x;
        walk.blocks = blocks.y + blocks.z;
        walk.padding = TilesPerBlock > 1 ? 0 : (BlocksPerTile - walk.blocks % BlocksPerTile) % BlocksPerTile;
        walk.blockTiles = TilesPerBlock > 1 ? walk.blocks * TilesPerBlock : (walk.blocks + walk.padding) / BlocksPerTile;
        walk.maskedBlockTiles = TilesPerBlock > 1 ? blocks.y * TilesPerBlock : (blocks.y + walk.padding + BlocksPerTile - 1) / BlocksPerTile;
#if COLUMNS
        walk.columns = a.columns + blocks.w;
        walk.columnCount = __ldg(&a.rowLists[index].columnCount);
        walk.shortColumns = walk.columnCount % KEYS;
#endif
    }

    walk.tiles = walk.blockTiles + (walk.columnCount + KEYS - 1) / KEYS;
    walk.maskedTiles = walk.maskedBlockTiles + (walk.shortColumns > 0);
    return walk;
}

struct Producer
{
    const Arguments& a;
    u32 ring, fullBarriers, emptyBarriers;
    volatile int* marks;    // [SLOTS][BlocksPerTile], for the mask: the start of each block, or ~count for columns
    int slot;
    u32 phase;
    int thread;
    int pendingSlot;        // a slot whose gathered columns are still on the way, or -1

    /// Fills the next slot with a tile of keys or of values.
    DEVICE void load(const Tile& tile, const Walk& walk, const TensorMap* map, const Element* source, int kvHead, int batch)
    {
        u32 full = fullBarriers + 8 * slot;
#if COLUMNS
        // A gathered slot waits for the next gather, but never behind another tile: consumers may need it to free that tile's slot.
        if (tile.columns == 0) finish<0>();
#endif
        barrier_wait(emptyBarriers + 8 * slot, phase ^ 1);
        u32 destination = ring + slot * SlotBytes;
#if COLUMNS
        if (tile.columns > 0)
        {
            gather(tile, walk, source + kvHead * a.keyHeadStride + batch * a.keyBatchStride, destination);
        }
        else
#endif
        {
            if (thread == 0)
            {
#pragma unroll
                for (int i = 0; i < BlocksPerTile; i++) marks[slot * BlocksPerTile + i] = tile.start[i];
                barrier_expect(full, SlotBytes);
#pragma unroll
                for (int panel = 0; panel < Panels; panel++)
#pragma unroll
                    for (int i = 0; i < BlocksPerTile; i++)
                        copy_box(destination + (panel * KEYS + i * BoxKeys) * 128, map, full, panel * 64, tile.start[i], kvHead, batch);
            }
            else
            {
                barrier_arrive(full);
            }
        }

        if (++slot == SLOTS) { slot = 0; phase ^= 1; }
    }

#if COLUMNS
    /// All threads of the warpgroup copy single rows, 16 bytes a thread and step, into the places where the copy engine would put them.
    DEVICE void gather(const Tile& tile, const Walk& walk, const Element* source, u32 destination)
    {
        constexpr int Chunks = HEAD_DIM / 8;            // 16-byte pieces of a row
        constexpr int RowsPerStep = 128 / Chunks;
        int chunk = thread % Chunks;
        int panel = chunk / 8;
        if (thread == 0)
        {
#pragma unroll
            for (int i = 0; i < BlocksPerTile; i++) marks[slot * BlocksPerTile + i] = ~max(0, min(BoxKeys, tile.columns - i * BoxKeys));
        }

#pragma unroll 8
        for (int row = thread / Chunks; row < KEYS; row += RowsPerStep)
        {
            bool valid = row < tile.columns && chunk * 8 < a.headDim;
            int key = __ldg(walk.columns + tile.start[0] + min(row, tile.columns - 1));
            const Element* from = source + key * a.keyRowStride + (valid ? chunk * 8 : 0);
            u32 to = destination + (panel * KEYS + row) * 128 + (((chunk % 8) ^ (row % 8)) << 4);
            asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" :: "r"(to), "l"(from), "r"(valid ? 16 : 0) : "memory");
        }

        asm volatile("cp.async.commit_group;" ::: "memory");
        int filled = slot;
        finish<1>();
        pendingSlot = filled;
    }

    /// Hands over the gathered slot that is still on the way, once its copies have landed and the tensor cores may see them.
    template <int Younger> DEVICE void finish()
    {
        if (pendingSlot < 0) return;
        asm volatile("cp.async.wait_group %0;" :: "n"(Younger) : "memory");
        asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
        barrier_arrive(fullBarriers + 8 * pendingSlot);
        pendingSlot = -1;
    }
#endif
};
