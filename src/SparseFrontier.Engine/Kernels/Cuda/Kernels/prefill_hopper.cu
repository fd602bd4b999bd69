// Prefill attention for Hopper (sm_90a): dense causal, block lists, and blocks with gathered columns, in one kernel.
//
// Formula. For query row r of head h, over the keys K(r) that its row block lists and that are not after it:
//     O[r] = sum_k exp(s_k - m) V[k] / sum_k exp(s_k - m),   s_k = scale * Q[r].K[k],   m = max_k s_k,   LSE[r] = m + ln sum_k exp(s_k - m)
// by the online softmax: one pass over tiles of KEYS keys, the running maximum and sum in registers, O rescaled when the maximum rises.
// A row without keys gives O = 0 and LSE = -infinity.
//
// Layout. Q and O [batch, head, row, dim], K and V [batch, KV head, key, dim] through any strides (tensor maps for Q, K and V).
// One work item is ROWS query rows of one query head: 64 rows for each consumer warpgroup. Items lie in the order KV head, row block
// (last first, so that causal work goes longest first), query head of the group; thread blocks stay resident and take items from a
// counter, so that few KV heads are live in the L2 cache. The counter decides who computes, never the order of a sum.
//
// A thread block is one producer warpgroup and ROWS / 64 consumer warpgroups. The producer's first thread walks the item's list and
// fills a ring of SLOTS tiles in shared memory with the copy engine (TMA, 128-byte swizzle), in the order in which they are used:
// K0, K1, V0, K2, V1, ... Consumers run, for each tile j, S = Q K_j and O += P V_(j-1) as one batch of wgmma, then take the softmax of
// S while the tensor cores finish O. With several consumers, named barriers make them take turns, so that one's exponentials hide
// behind the others' matrix products: 16 exponentials a clock against 4096 tensor operations make the exponentials alone half of the
// matrix time at 128 dimensions, and all of it at 64.
//
// Tiles that need a mask (the diagonal, a window's edge, the last keys, a short column tile) come first in an item, and the loop over
// the others has no mask code. Columns come through cp.async by all threads of the producer warpgroup: the copy engine has no gather.
//
// Cost. 4 * ROWS * KEYS * dim operations and 4 * KEYS * dim bytes of L2 traffic a tile: ROWS operations a byte.
//
// Macros: HEAD_DIM (64, 128, 256), ROWS (64, 128; 192 for 64 dimensions), BLOCK (keys of a list's block), KEYS (keys of a tile), SLOTS,
// QUERY_STAGES (tiles of queries ahead), QUERY_IN_REGISTERS, COLUMNS (1: lists have columns), HALF (1: fp16, 0: bf16); TURNS and OVERLAP
// (1) are switched off only to measure what they are worth.

#ifndef HEAD_DIM
#define HEAD_DIM 128
#endif
#ifndef ROWS
#define ROWS 128
#endif
#ifndef BLOCK
#define BLOCK 128
#endif
#ifndef KEYS
#define KEYS 128
#endif
#ifndef SLOTS
#define SLOTS 5
#endif
#ifndef QUERY_STAGES
#define QUERY_STAGES 2
#endif
#ifndef QUERY_IN_REGISTERS
#define QUERY_IN_REGISTERS 0
#endif
#ifndef COLUMNS
#define COLUMNS 0
#endif
#ifndef HALF
#define HALF 0
#endif
#ifndef TURNS
#define TURNS (ROWS > 64)
#endif
#ifndef OVERLAP
#define OVERLAP 1
#endif

#include "prefill_hopper_producer.cuh"

extern "C" __global__ void __launch_bounds__(Threads, Shared ? 2 : 1) prefill_hopper(const __grid_constant__ Arguments a)
{
    extern __shared__ __align__(1024) unsigned char shared[];
    u32 base = shared_address(shared);
    u32 ring = base + RingOffset;
    u32 fullBarriers = base + BarrierOffset;
    u32 emptyBarriers = fullBarriers + 8 * SLOTS;
    u32 queryFull = emptyBarriers + 8 * SLOTS;
    u32 queryEmpty = queryFull + 8 * QUERY_STAGES;
    volatile Item* items = (volatile Item*)(shared + BarrierOffset + 16 * SLOTS + 16 * QUERY_STAGES);
    volatile int* marks = (volatile int*)(items + QUERY_STAGES);
#if COLUMNS
    volatile int* upcomingItem = marks + SLOTS * BlocksPerTile;     // [2], from the producer's first thread to its others
#endif

    int warpgroup = threadIdx.x / 128;
    int thread = threadIdx.x % 128;
    if (threadIdx.x == 0)
    {
        if (base & 1023) asm volatile("trap;");
        for (int i = 0; i < SLOTS; i++)
        {
            barrier_init(fullBarriers + 8 * i, COLUMNS ? 128 : 1);
            barrier_init(emptyBarriers + 8 * i, 4 * Warpgroups);
        }

        for (int i = 0; i < QUERY_STAGES; i++)
        {
            barrier_init(queryFull + 8 * i, 1);
            barrier_init(queryEmpty + 8 * i, 128 * Warpgroups);
        }

        asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
        asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
    }

    __syncthreads();

    int rowBlocks = (a.queryLength + ROWS - 1) / ROWS;
    if (warpgroup == 0)
    {
        asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" :: "n"(ProducerRegisters));
        if (!COLUMNS && thread != 0) return;

        int total = rowBlocks * a.heads * a.batch;
        int group = a.heads / a.kvHeads;
        Producer producer{a, ring, fullBarriers, emptyBarriers, marks, 0, 0, thread, -1};
        u64 maskedTiles = 0, fullTiles = 0, gathered = 0, taken = 0;
        int stage = 0;
        u32 stagePhase = 0;
        int next = blockIdx.x;
#if COLUMNS
        int turn = 0;
#endif
        while (next < total)
        {
            int index = next;
            Item item;
            int kv = index / (rowBlocks * group);
            int rest = index - kv * rowBlocks * group;
            item.batch = kv / a.kvHeads;
            int kvHead = kv - item.batch * a.kvHeads;
            int rowBlock = rest / group;
            item.head = kvHead * group + rest - rowBlock * group;
            item.row = (rowBlocks - 1 - rowBlock) * ROWS;
            Walk walk = walk_of(a, item, rowBlocks);

            // One thread waits for the stage: consumers may free it again before a second one had looked, and that one would wait forever.
            if (thread == 0)
            {
                barrier_wait(queryEmpty + 8 * stage, stagePhase ^ 1);
                next = gridDim.x + atomicAdd(a.scheduler, 1u);
                items[stage].tiles = walk.tiles;
                items[stage].maskedTiles = walk.maskedTiles;
                items[stage].row = item.row;
                items[stage].head = item.head;
                items[stage].batch = item.batch;
#if COLUMNS
                upcomingItem[turn] = next;
#endif
                barrier_expect(queryFull + 8 * stage, QueryBytes);
#pragma unroll
                for (int panel = 0; panel < Panels; panel++)
                    copy_box(base + stage * QueryBytes + panel * ROWS * 128, &a.query, queryFull + 8 * stage, panel * 64, item.row, item.head, item.batch);
                maskedTiles += walk.maskedTiles;
                fullTiles += walk.tiles - walk.maskedTiles;
                gathered += walk.columnCount;
                taken++;
            }

#if COLUMNS
            named_sync(7, 128);
            next = upcomingItem[turn];
            turn ^= 1;
#endif
            if (++stage == QUERY_STAGES) { stage = 0; stagePhase ^= 1; }

            if (walk.tiles > 0)
            {
                Tile previous = walk.tile(0);
                Tile upcoming = walk.tiles > 1 ? walk.tile(1) : previous;
                producer.load(previous, walk, &a.key, a.keys, kvHead, item.batch);
                for (int t = 1; t < walk.tiles; t++)
                {
                    Tile current = upcoming;
                    if (t + 1 < walk.tiles) upcoming = walk.tile(t + 1);
                    producer.load(current, walk, &a.key, a.keys, kvHead, item.batch);
                    producer.load(previous, walk, &a.value, a.values, kvHead, item.batch);
                    previous = current;
                }

                producer.load(previous, walk, &a.value, a.values, kvHead, item.batch);
#if COLUMNS
                producer.finish<0>();
#endif
            }
        }

        if (thread == 0)
        {
            barrier_wait(queryEmpty + 8 * stage, stagePhase ^ 1);
            items[stage].tiles = -1;
            barrier_arrive(queryFull + 8 * stage);
            if (a.counters != nullptr)
            {
                atomicAdd(a.counters, maskedTiles);
                atomicAdd(a.counters + 1, fullTiles);
                atomicAdd(a.counters + 2, gathered);
                atomicAdd(a.counters + 3, taken);
            }

            // The last thread block to finish leaves the scheduler as it found it.
            if (atomicAdd(a.scheduler + 1, 1u) == gridDim.x - 1)
            {
                a.scheduler[0] = 0;
                a.scheduler[1] = 0;
            }
        }
    }
    else if (warpgroup > Warpgroups)
    {
        asm volatile("setmaxnreg.dec.sync.aligned.u32 24;");
    }
    else
    {
        asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" :: "n"(ConsumerRegisters));
        int consumer = warpgroup - 1;
        int warp = thread / 32;
        int lane = thread % 32;
        int column = 2 * (lane % 4);        // this thread holds columns column and column + 1 of every 8, in rows lane / 4 and lane / 4 + 8 of its warp's 16
        int slot = 0;
        u32 phase = 0;
        int stage = 0;
        u32 stagePhase = 0;
        u64 keyDescriptor = descriptor(ring, 16, 1024);
        u64 valueDescriptor = descriptor(ring, KEYS * 128, 1024);
#if !QUERY_IN_REGISTERS
        u64 queryDescriptor = descriptor(base + consumer * 8192, 16, 1024);
#endif

        auto advance = [&] { if (++slot == SLOTS) { slot = 0; phase ^= 1; } };
        auto release = [&](u32 barrier) { __syncwarp(); if (lane == 0) barrier_arrive(barrier); };
        auto take_turn = [&] { if (TURNS) named_sync(1 + consumer, 256); };
        auto pass_turn = [&] { if (TURNS) named_arrive(1 + (consumer + 1) % Warpgroups, 256); };

        if (TURNS && consumer == Warpgroups - 1) named_arrive(1, 256);

        for (;;)
        {
            barrier_wait(queryFull + 8 * stage, stagePhase);
            int tiles = items[stage].tiles;
            if (tiles < 0) break;
            int maskedTiles = items[stage].maskedTiles;
            int row = items[stage].row + consumer * 64 + warp * 16 + lane / 4;
            int head = items[stage].head;
            int batch = items[stage].batch;
            int limit0 = min(a.queryOffset + row, a.keyLength - 1);         // last key that this thread's rows may see
            int limit1 = min(a.queryOffset + row + 8, a.keyLength - 1);

#if QUERY_IN_REGISTERS
            u32 query[HEAD_DIM / 4];
#pragma unroll
            for (int k = 0; k < HEAD_DIM / 16; k++)
            {
                int line = consumer * 64 + warp * 16 + lane % 16;
                u32 address = base + stage * QueryBytes + k / 4 * ROWS * 128 + line * 128 + (((k % 4 * 2 + lane / 16) ^ (line % 8)) << 4);
                asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                    : "=r"(query[4 * k]), "=r"(query[4 * k + 1]), "=r"(query[4 * k + 2]), "=r"(query[4 * k + 3]) : "r"(address) : "memory");
            }

            barrier_arrive(queryEmpty + 8 * stage);
#endif

            float scores[KEYS / 2];
            float output[HEAD_DIM / 2];
            u32 weights[KEYS / 4];
            float max0 = NegativeInfinity, max1 = NegativeInfinity, sum0 = 0, sum1 = 0;
#pragma unroll
            for (int i = 0; i < HEAD_DIM / 2; i++) output[i] = 0;

            auto multiply_keys = [&]
            {
#pragma unroll
                for (int k = 0; k < HEAD_DIM / 16; k++)
                {
                    u64 b = keyDescriptor + ((slot * SlotBytes + k / 4 * KEYS * 128 + k % 4 * 32) >> 4);
#if QUERY_IN_REGISTERS
                    multiply(scores, query + 4 * k, b, k > 0);
#else
                    multiply(scores, queryDescriptor + ((stage * QueryBytes + k / 4 * ROWS * 128 + k % 4 * 32) >> 4), b, k > 0);
#endif
                }

                wgmma_commit();
            };
            auto multiply_values = [&]
            {
#pragma unroll
                for (int k = 0; k < KEYS / 16; k++) multiply_transposed(output, weights + 4 * k, valueDescriptor + ((slot * SlotBytes + k * 2048) >> 4));
                wgmma_commit();
            };
            auto mask = [&](int keySlot)
            {
#pragma unroll
                for (int i = 0; i < BlocksPerTile; i++)
                {
                    int mark = __shfl_sync(~0u, lane == 0 ? marks[keySlot * BlocksPerTile + i] : 0, 0);     // by the lane that releases the slot
                    int last0 = (mark >= 0 ? limit0 - mark : ~mark - 1) - column;
                    int last1 = (mark >= 0 ? limit1 - mark : ~mark - 1) - column;
#pragma unroll
                    for (int j = 0; j < BoxKeys / 8; j++)
                    {
                        float* s = scores + i * BoxKeys / 2 + 4 * j;
                        if (8 * j > last0) s[0] = NegativeInfinity;
                        if (8 * j + 1 > last0) s[1] = NegativeInfinity;
                        if (8 * j > last1) s[2] = NegativeInfinity;
                        if (8 * j + 1 > last1) s[3] = NegativeInfinity;
                    }

                    if (a.window > 0 && mark >= 0)
                    {
                        int first0 = a.queryOffset + row - a.window + 1 - mark - column;
#pragma unroll
                        for (int j = 0; j < BoxKeys / 8; j++)
                        {
                            float* s = scores + i * BoxKeys / 2 + 4 * j;
                            if (8 * j < first0) s[0] = NegativeInfinity;
                            if (8 * j + 1 < first0) s[1] = NegativeInfinity;
                            if (8 * j < first0 + 8) s[2] = NegativeInfinity;
                            if (8 * j + 1 < first0 + 8) s[3] = NegativeInfinity;
                        }
                    }
                }
            };
            float rescale0, rescale1;
            auto exponentials = [&](bool masked)
            {
                float high0 = max0, high1 = max1;
#pragma unroll
                for (int j = 0; j < KEYS / 8; j++)
                {
                    high0 = fmaxf(high0, fmaxf(scores[4 * j], scores[4 * j + 1]));
                    high1 = fmaxf(high1, fmaxf(scores[4 * j + 2], scores[4 * j + 3]));
                }

                high0 = fmaxf(high0, __shfl_xor_sync(~0u, high0, 1));
                high1 = fmaxf(high1, __shfl_xor_sync(~0u, high1, 1));
                high0 = fmaxf(high0, __shfl_xor_sync(~0u, high0, 2));
                high1 = fmaxf(high1, __shfl_xor_sync(~0u, high1, 2));

                // A row that has seen no key yet keeps weight 0 by a finite stand-in for its maximum.
                float scaled0 = (masked && high0 == NegativeInfinity ? 0 : high0) * a.scaleLog2;
                float scaled1 = (masked && high1 == NegativeInfinity ? 0 : high1) * a.scaleLog2;
                rescale0 = exp2_fast(max0 * a.scaleLog2 - scaled0);
                rescale1 = exp2_fast(max1 * a.scaleLog2 - scaled1);
                max0 = high0;
                max1 = high1;
                float add0 = 0, add1 = 0;
#pragma unroll
                for (int j = 0; j < KEYS / 8; j++)
                {
                    scores[4 * j] = exp2_fast(scores[4 * j] * a.scaleLog2 - scaled0);
                    scores[4 * j + 1] = exp2_fast(scores[4 * j + 1] * a.scaleLog2 - scaled0);
                    scores[4 * j + 2] = exp2_fast(scores[4 * j + 2] * a.scaleLog2 - scaled1);
                    scores[4 * j + 3] = exp2_fast(scores[4 * j + 3] * a.scaleLog2 - scaled1);
                    add0 += scores[4 * j] + scores[4 * j + 1];
                    add1 += scores[4 * j + 2] + scores[4 * j + 3];
                }

                sum0 = sum0 * rescale0 + add0;
                sum1 = sum1 * rescale1 + add1;
            };
            auto round_weights = [&]
            {
#pragma unroll
                for (int i = 0; i < KEYS / 4; i++) weights[i] = pack(scores[2 * i], scores[2 * i + 1]);
            };
            auto step = [&](bool masked)
            {
                int keySlot = slot;
                barrier_wait(fullBarriers + 8 * slot, phase);
                take_turn();
                wgmma_fence();
                multiply_keys();
                advance();
                int valueSlot = slot;
                barrier_wait(fullBarriers + 8 * slot, phase);
                multiply_values();
                advance();
                pass_turn();
                wgmma_wait<OVERLAP>();
                pin(scores);
                if (masked) mask(keySlot);      // reads the slot's marks, so before its release
                release(emptyBarriers + 8 * keySlot);
                exponentials(masked);
                pin(scores);
                wgmma_wait<0>();
                pin(output);
                pin(scores);
                release(emptyBarriers + 8 * valueSlot);
                if (__any_sync(~0u, rescale0 != 1 || rescale1 != 1))
                {
#pragma unroll
                    for (int i = 0; i < HEAD_DIM / 8; i++)
                    {
                        output[4 * i] *= rescale0;
                        output[4 * i + 1] *= rescale0;
                        output[4 * i + 2] *= rescale1;
                        output[4 * i + 3] *= rescale1;
                    }
                }

                round_weights();
            };

            if (tiles > 0)
            {
                int keySlot = slot;
                barrier_wait(fullBarriers + 8 * slot, phase);
                take_turn();
                wgmma_fence();
                multiply_keys();
                advance();
                pass_turn();
                wgmma_wait<0>();
                pin(scores);
                if (maskedTiles > 0) mask(keySlot);
                release(emptyBarriers + 8 * keySlot);
                exponentials(true);
                round_weights();

                int t = 1;
                for (; t < maskedTiles; t++) step(true);
                for (; t < tiles; t++) step(false);
            }

#if !QUERY_IN_REGISTERS
            barrier_arrive(queryEmpty + 8 * stage);
#endif
            if (++stage == QUERY_STAGES) { stage = 0; stagePhase ^= 1; }

            if (tiles > 0)
            {
                barrier_wait(fullBarriers + 8 * slot, phase);
                wgmma_fence();
                multiply_values();
                wgmma_wait<0>();
                pin(output);
                release(emptyBarriers + 8 * slot);
                advance();
            }

            // Sums over the four threads of a row, then the row's scale.
            sum0 += __shfl_xor_sync(~0u, sum0, 1);
            sum1 += __shfl_xor_sync(~0u, sum1, 1);
            sum0 += __shfl_xor_sync(~0u, sum0, 2);
            sum1 += __shfl_xor_sync(~0u, sum1, 2);
            float inverse0 = sum0 > 0 ? 1 / sum0 : 0;
            float inverse1 = sum1 > 0 ? 1 / sum1 : 0;
            bool stored0 = row < a.queryLength;
            bool stored1 = row + 8 < a.queryLength;
            if (a.logSumExp != nullptr && lane % 4 == 0)
            {
                const float ln2 = 0.693147180559945f;
                float* to = a.logSumExp + ((long long)batch * a.heads + head) * a.queryLength + row;
                if (stored0) to[0] = sum0 > 0 ? (max0 * a.scaleLog2 + log2f(sum0)) * ln2 : NegativeInfinity;
                if (stored1) to[8] = sum1 > 0 ? (max1 * a.scaleLog2 + log2f(sum1)) * ln2 : NegativeInfinity;
            }

            // Four threads exchange their pairs of columns, so that each writes 16 bytes.
            Element* to0 = a.output + batch * a.outputBatchStride + head * a.outputHeadStride + row * a.outputRowStride;
            Element* to1 = to0 + 8 * a.outputRowStride;
            bool odd = lane & 1, high = lane & 2;
#pragma unroll
            for (int j = 0; j < HEAD_DIM / 8; j += 4)
            {
#pragma unroll
                for (int half = 0; half < 2; half++)
                {
                    float inverse = half ? inverse1 : inverse0;
                    u32 p[4];
#pragma unroll
                    for (int i = 0; i < 4; i++) p[i] = pack(output[4 * (j + i) + 2 * half] * inverse, output[4 * (j + i) + 2 * half + 1] * inverse);
                    u32 x0 = __shfl_xor_sync(~0u, odd ? p[0] : p[1], 1);
                    u32 x1 = __shfl_xor_sync(~0u, odd ? p[2] : p[3], 1);
                    u32 a0 = odd ? x0 : p[0], a1 = odd ? p[1] : x0, a2 = odd ? x1 : p[2], a3 = odd ? p[3] : x1;
                    u32 y0 = __shfl_xor_sync(~0u, high ? a0 : a2, 2);
                    u32 y1 = __shfl_xor_sync(~0u, high ? a1 : a3, 2);
                    uint4 piece = make_uint4(high ? y0 : a0, high ? y1 : a1, high ? a2 : y0, high ? a3 : y1);
                    int dim = 8 * (j + lane % 4);
                    if ((half ? stored1 : stored0) && dim < a.headDim) *(uint4*)((half ? to1 : to0) + dim) = piece;
                }
            }
        }
    }
}
