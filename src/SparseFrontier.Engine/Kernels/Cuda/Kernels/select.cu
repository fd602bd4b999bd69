// Selection of the largest scores of many rows at once: radix select by digits of BITS bits, then compaction in ascending order. Ties go to the lower index, +∞ is above and NaN below everything,
// -0 equals 0: the same choice as the processor's from the same scores. Counts are integers, and masses integers in units of 2^-40, so that no sum depends on its order.
//
// Cost: one thread block a row. With up to 256 threads they hold the row's keys in registers, at most 32 each, and it is read once. Bits that all keys of the row have in common are left
// out, above and below, so that scores that were rounded to bfloat16 take two digits. With more threads the row is read once a digit, until all of the bucket that holds the last of the chosen are chosen (mostly
// after two of 11 bits), and twice for the compaction; AHEAD reads of a thread are under way at a time. Where few of such a row are chosen, it is read once before that: each thread finds its largest score, and what is
// below the wanted-th largest of these is not chosen, so that the other passes leave it at a comparison. Where all candidates are chosen, nothing is read.
//
// Constants: TYPE; THREADS of a block (CudaSelection.Threads): 32 to 256 for rows of up to 32 columns a thread, 512 or 1,024 for rows of any length.
#include "ptx.cuh"

static constexpr int Threads = THREADS;
static constexpr int Warps = Threads / 32;
// A short row has less to count than many buckets to look through.
static constexpr int Bits = Threads > 256 ? 11 : 8;
static constexpr int Buckets = 1 << Bits;
static constexpr int OwnBuckets = Buckets / Threads;
static constexpr int Ahead = Threads > 128 ? 8 : 4;
// Keys of a row that a thread holds, in groups of which all or none are looked at; 0: the row is read again and again.
static constexpr int Held = Threads > 256 ? 0 : 32;
static constexpr int HeldGroup = 4;
static constexpr float MassUnit = 1099511627776.0f;   // 2^40
// Scores are parts of attention rows, so that all masses together are below 2^57 for 131,072 rows: neither half overflows in a sum of 32.
static constexpr int HalfBits = 27;
static constexpr unsigned HalfMask = (1u << HalfBits) - 1;
// So few lanes add to a bucket one after the other; of more, one adds for all.
static constexpr int FewLanes = 4;

// The order of floats as unsigned integers: 0 for what is no number, and 2^31 more or less than the size of a number, which leaves the last bits 0 where the number has been rounded.
static __device__ __forceinline__ unsigned sortKey(float score)
{
    unsigned bits = __float_as_uint(score);
    return score != score ? 0 : bits & 0x80000000u ? 0u - bits : bits ^ 0x80000000u;
}

// Candidates of a row: counts[row], or min(row + 1 + firstRow, columns) where rows see one more than the row before (causal), or columns.
static __device__ __forceinline__ int candidates(const int* counts, int row, int firstRow, int causal, int columns)
{
    return counts ? counts[row] : causal ? min(columns, firstRow + row + 1) : columns;
}

// The score of a number's key.
static __device__ __forceinline__ float scoreOf(unsigned key)
{
    return __uint_as_float(key & 0x80000000u ? key ^ 0x80000000u : 0u - key);
}

template <int STEP, bool WHOLE, typename Visit>
static __device__ __forceinline__ void visitBatch(const float* scores, int first, int end, Visit visit)
{
    int own = threadIdx.x % STEP;
    scores += first + own;
    float values[Ahead];
#pragma unroll
    for (int a = 0; a < Ahead; a++)
    {
        values[a] = WHOLE || first + own + a * STEP < end ? __ldg(scores + a * STEP) : 0;
    }

#pragma unroll
    for (int a = 0; a < Ahead; a++)
    {
        if (WHOLE || first + a * STEP < end)
        {
            visit(first + own + a * STEP, values[a], WHOLE || first + own + a * STEP < end);
        }
    }
}

// visit(position, score, whether it is before the end) for the positions from begin to end, STEP at a time: the threads of the block, or the lanes of a warp, one each. All lanes of a warp visit together.
template <int STEP, typename Visit>
static __device__ __forceinline__ void visitScores(const float* scores, int begin, int end, Visit visit)
{
    int first = begin;
    for (; first + Ahead * STEP <= end; first += Ahead * STEP)
    {
        visitBatch<STEP, true>(scores, first, end, visit);
    }

    if (first < end)
    {
        visitBatch<STEP, false>(scores, first, end, visit);
    }
}

// Sum over the lanes up to this one.
template <typename T>
static __device__ __forceinline__ T sumUpTo(T value, int lane)
{
#pragma unroll
    for (int distance = 1; distance < 32; distance <<= 1)
    {
        T other = __shfl_up_sync(AllLanes, value, distance);
        value += lane >= distance ? other : 0;
    }

    return value;
}

// Keys in the buckets of a thread, which are read at once.
struct alignas(4 * (OwnBuckets < 4 ? OwnBuckets : 4)) OwnSizes
{
    int of[OwnBuckets];
};

struct SelectMemory
{
    OwnSizes histogram[Threads];     // 0 between digits
    int totals[Warps];
    int3 decision;
    int2 warpCounts[Warps];
};

// Keys from first to last begin as the threshold does: all above are chosen, and `left` of these.
struct Threshold
{
    unsigned first;
    unsigned last;
    int left;
};

// The threshold of the `wanted` largest of more keys, which are `common` but for the bits of `varying`. each(visit) calls visit(position, key, whether it counts) for all of them, all lanes of a warp together.
template <typename Each>
static __device__ __forceinline__ Threshold findThreshold(SelectMemory& memory, int wanted, unsigned common, unsigned varying, const Each& each)
{
    int lane = threadIdx.x & 31;
    int warp = threadIdx.x >> 5;
    int shift = 32 - __clz(varying);
    unsigned below = shift == 32 ? 0xffffffffu : (1u << shift) - 1;
    Threshold threshold = { common & ~below, common | below, wanted };
    int open = wanted + 1;      // keys between first and last
    while (((threshold.last - threshold.first) & varying) != 0 && open > threshold.left)
    {
        // The last digit may begin with bits that are known.
        shift = max(shift - Bits, 0);
        int* histogram = memory.histogram[0].of;
        each([&](int, unsigned key, bool counts)
        {
            if (counts && key - threshold.first <= threshold.last - threshold.first)
            {
                // Lanes that meet in a bucket are added up by the hardware at once: faster than one lane for all of them.
                atomicAdd(&histogram[(key >> shift) & (Buckets - 1)], 1);
            }
        });
        __syncthreads();

        // From the highest bucket down; a thread takes OwnBuckets of them, and leaves them empty.
        OwnSizes& place = memory.histogram[Threads - 1 - threadIdx.x];
        OwnSizes sizes = place;
        place = OwnSizes();
        int own = 0;
#pragma unroll
        for (int b = 0; b < OwnBuckets; b++)
        {
            own += sizes.of[b];
        }

        int before = sumUpTo(own, lane);
        if (lane == 31)
        {
            memory.totals[warp] = before;
        }

        __syncthreads();
        before += __reduce_add_sync(AllLanes, lane < warp ? memory.totals[lane] : 0) - own;
#pragma unroll
        for (int b = OwnBuckets - 1; b >= 0; b--)
        {
            if (before < threshold.left && threshold.left <= before + sizes.of[b])
            {
                memory.decision = make_int3((Threads - 1 - threadIdx.x) * OwnBuckets + b, threshold.left - before, sizes.of[b]);
            }

            before += sizes.of[b];
        }

        __syncthreads();
        threshold.first |= static_cast<unsigned>(memory.decision.x) << shift;
        threshold.last = threshold.first + ((1u << shift) - 1);
        threshold.left = memory.decision.y;
        open = memory.decision.z;
    }

    return threshold;
}

// Positions of the chosen, ascending: keys above the last of the threshold, and the first `left` from its first to its last. each(visit) visits a piece of the row a warp, one after the other.
template <typename Each>
static __device__ __forceinline__ void writeChosen(SelectMemory& memory, const Threshold& threshold, int* indices, const Each& each)
{
    int lane = threadIdx.x & 31;
    int warp = threadIdx.x >> 5;
    unsigned lower = (1u << lane) - 1;
    int aboves = 0;
    int ties = 0;
    if (Warps > 1)
    {
        // Each warp counts its own, then it knows where they begin.
        each([&](int, unsigned key, bool candidate)
        {
            aboves += candidate && key > threshold.last;
            ties += candidate && key - threshold.first <= threshold.last - threshold.first;
        });
        aboves = __reduce_add_sync(AllLanes, aboves);
        ties = __reduce_add_sync(AllLanes, ties);
        bool none = aboves + ties == 0;
        if (lane == 0)
        {
            memory.warpCounts[warp] = make_int2(aboves, ties);
        }

        __syncthreads();
        if (none)
        {
            return;
        }

        int2 other = lane < warp ? memory.warpCounts[lane] : make_int2(0, 0);
        aboves = __reduce_add_sync(AllLanes, other.x);
        ties = __reduce_add_sync(AllLanes, other.y);
    }

    each([&](int i, unsigned key, bool candidate)
    {
        bool reaches = candidate && key >= threshold.first;
        unsigned all = __ballot_sync(AllLanes, reaches);
        if (all != 0)
        {
            bool above = reaches && key > threshold.last;
            unsigned allAbove = __ballot_sync(AllLanes, above);
            int tiesBefore = ties + __popc(all & ~allAbove & lower);
            if (above || (reaches && tiesBefore < threshold.left))
            {
                indices[aboves + __popc(allAbove & lower) + min(tiesBefore, threshold.left)] = i;
            }

            aboves += __popc(allAbove);
            ties += __popc(all & ~allAbove);
        }
    });
}

// A row whose keys are held in registers: a piece in each warp, one after the other.
struct HeldRow
{
    unsigned keys[Held > 0 ? Held : 1];
    int first;      // place of the first key
    int piece;      // of a warp, a multiple of 32 HeldGroup

    // visit(key, place), of whole groups.
    template <typename Visit>
    __device__ __forceinline__ void change(Visit visit)
    {
#pragma unroll
        for (int group = 0; group < Held; group += HeldGroup)
        {
            if (group * 32 < piece)
            {
#pragma unroll
                for (int k = group; k < group + HeldGroup; k++)
                {
                    visit(keys[k], first + k * 32);
                }
            }
        }
    }

    template <typename Visit>
    __device__ __forceinline__ void operator()(Visit visit) const
    {
#pragma unroll
        for (int group = 0; group < Held; group += HeldGroup)
        {
            if (group * 32 < piece)
            {
#pragma unroll
                for (int k = group; k < group + HeldGroup; k++)
                {
                    visit(first + k * 32, keys[k], true);
                }
            }
        }
    }
};

static __device__ __forceinline__ void selectHeld(SelectMemory& memory, const float* scores, int begin, int end, int wanted, int* indices)
{
    constexpr int Step = 32 * HeldGroup;
    int lane = threadIdx.x & 31;
    int warp = threadIdx.x >> 5;
    HeldRow row;
    row.piece = (end - begin + Warps * Step - 1) / (Warps * Step) * Step;
    row.first = begin + warp * row.piece + lane;

    // All reads are under way before the first is looked at.
    row.change([&](unsigned& key, int i) { key = i < end ? __float_as_uint(__ldg(scores + i)) : 0; });
    unsigned common = sortKey(__ldg(scores + begin));
    unsigned varying = 0;
    row.change([&](unsigned& key, int i)
    {
        // Behind the end the key is that of no number, and the place higher than any other's: it is not chosen.
        key = i < end ? sortKey(__uint_as_float(key)) : 0;
        varying |= i < end ? key ^ common : 0;
    });
    varying = __reduce_or_sync(AllLanes, varying);
    if (Warps > 1)
    {
        if (lane == 0)
        {
            memory.totals[warp] = static_cast<int>(varying);
        }

        __syncthreads();
        varying = __reduce_or_sync(AllLanes, lane < Warps ? static_cast<unsigned>(memory.totals[lane]) : 0u);
    }

    writeChosen(memory, findThreshold(memory, wanted, common, varying, row), indices, row);
}

// Of a row that is read again and again.
static __device__ __forceinline__ void selectStreamed(SelectMemory& memory, const float* scores, int begin, int end, int wanted, int* indices)
{
    bool bounded = wanted <= Threads / 2 && end - begin >= 8 * Threads;
    float bound = MinusInfinity;
    if (bounded)
    {
        float largest = MinusInfinity;
        visitScores<Threads>(scores, begin, end, [&](int i, float score, bool inside) { largest = inside ? fmaxf(largest, score) : largest; });
        unsigned key = sortKey(largest);
        bound = scoreOf(findThreshold(memory, wanted, 0, 0xffffffffu, [&](auto visit) { visit(0, key, true); }).first);
    }

    // What is no number is not below the bound, as little as it is above; no thread's largest is. Where the bound is -∞, all are candidates.
    auto visitCandidate = [&](int i, float score, bool inside, auto visit)
    {
        bool candidate = inside && !(score < bound);
        if (!bounded || __ballot_sync(AllLanes, candidate) != 0)
        {
            visit(i, sortKey(score), candidate);
        }
    };
    Threshold threshold = findThreshold(memory, wanted, 0, 0xffffffffu, [&](auto visit)
    {
        visitScores<Threads>(scores, begin, end, [&](int i, float score, bool inside) { visitCandidate(i, score, inside, visit); });
    });
    int piece = (end - begin + Threads - 1) / Threads * 32;
    int pieceBegin = min(begin + static_cast<int>(threadIdx.x >> 5) * piece, end);
    int pieceEnd = min(pieceBegin + piece, end);
    writeChosen(memory, threshold, indices, [&](auto visit)
    {
        visitScores<32>(scores, pieceBegin, pieceEnd, [&](int i, float score, bool inside) { visitCandidate(i, score, inside, visit); });
    });
}

// The `wanted` largest of a row's `count` scores, ascending, then -1 up to the width.
static __device__ __forceinline__ void selectRow(const float* scores, int count, int wanted, int* indices, int width, int forcedFirst, int forcedLast)
{
    __shared__ SelectMemory memory;
    for (int i = wanted + threadIdx.x; i < width; i += Threads)
    {
        indices[i] = -1;
    }

    // Forced positions are above all, the rest is chosen between them.
    int begin = min(forcedFirst, count);
    int end = max(begin, count - forcedLast);
    int forced = begin + count - end;
    bool noneFree = wanted <= forced || wanted == count;
    if (wanted == count)
    {
        begin = count;
    }

    for (int i = threadIdx.x; i < (noneFree ? wanted : forced); i += Threads)
    {
        indices[i < begin || noneFree ? i : wanted - forced + i] = i < begin ? i : end + i - begin;
    }

    if (noneFree)
    {
        return;
    }

    memory.histogram[threadIdx.x] = OwnSizes();
    __syncthreads();
    if (Held > 0)
    {
        selectHeld(memory, scores, begin, end, wanted - forced, indices + begin);
    }
    else
    {
        selectStreamed(memory, scores, begin, end, wanted - forced, indices + begin);
    }
}

// Grid: rows; or the rows of a head, heads, where each head's rows are causal by themselves. indices [rows][width]: those of the min(wanted, candidates) largest, ascending, then -1. wanted: wantedOfRow[row], or `width`. found [rows] or null: how many.
extern "C" __global__ void __launch_bounds__(Threads) selectLargest(
    const float* scores, long long stride, const int* counts, int firstRow, int causal, int columns, const int* wantedOfRow, int* indices, int width, int* found,
    int forcedFirst, int forcedLast)
{
    long long row = (long long)blockIdx.y * gridDim.x + blockIdx.x;
    int count = candidates(counts, blockIdx.x, firstRow, causal, columns);
    int wanted = min(min(wantedOfRow ? wantedOfRow[row] : width, width), count);
    if (found && threadIdx.x == 0)
    {
        found[row] = wanted;
    }

    selectRow(scores + row * stride, count, wanted, indices + row * width, width, forcedFirst, forcedLast);
}

// The largest column sums and the largest diagonal sums [heads][length] of each head. columns [heads][columnWidth] and diagonals [heads][diagonalWidth] as above; of a head as many as the counts [heads]
// say, or, where that is written there as well (`fixed`), as the widths. Grid: heads, 2.
extern "C" __global__ void __launch_bounds__(Threads) selectVerticalSlash(
    const float* columnSums, const float* diagonalSums, int length, int fixed, int* columnCounts, int* diagonalCounts, int* columns, int* diagonals, int columnWidth, int diagonalWidth,
    int forcedColumns, int forcedDiagonals)
{
    bool second = blockIdx.y == 1;
    long long head = blockIdx.x;
    int width = second ? diagonalWidth : columnWidth;
    int* counts = second ? diagonalCounts : columnCounts;
    int wanted = fixed ? width : counts[head];
    if (fixed && threadIdx.x == 0)
    {
        counts[head] = width;
    }

    selectRow(
        (second ? diagonalSums : columnSums) + head * length, length, wanted, (second ? diagonals : columns) + head * width, width, second ? forcedDiagonals : forcedColumns, 0);
}

// How many of the largest of a head's column sums, and of its diagonal sums, (not negative) it takes for their sum to exceed `limit`, at least the floor and at most `length`; all: length.
// Sums [heads][length], counts [heads]. Grid: heads, 2.
extern "C" __global__ void __launch_bounds__(Threads) countCovering(
    const float* columnSums, const float* diagonalSums, int length, float limit, int columnFloor, int diagonalFloor, int all, int* columnCounts, int* diagonalCounts)
{
    __shared__ int histogram[Buckets];
    // Masses in two halves of 32 bits: 64-bit sums in shared memory take turns.
    __shared__ unsigned lows[Buckets];
    __shared__ unsigned highs[Buckets];
    __shared__ unsigned long long massTotals[Warps];
    __shared__ int totals[Warps];
    __shared__ unsigned long long massDecision;
    __shared__ int3 decision;
    const float* scores = (blockIdx.y == 0 ? columnSums : diagonalSums) + (long long)blockIdx.x * length;
    int lane = threadIdx.x & 31;
    int warp = threadIdx.x >> 5;
    unsigned lower = (1u << lane) - 1;
#pragma unroll
    for (int b = 0; b < OwnBuckets; b++)
    {
        histogram[b * Threads + threadIdx.x] = 0;
        lows[b * Threads + threadIdx.x] = 0;
        highs[b * Threads + threadIdx.x] = 0;
    }

    if (threadIdx.x == 0)
    {
        decision.z = 0;
    }

    __syncthreads();
    unsigned long long left = static_cast<unsigned long long>(limit * MassUnit);
    int counted = 0;
    int open = all ? 0 : length;
    unsigned prefix = 0;
    unsigned mask = 0;
    for (int shift = 32; shift > 0 && open > 1;)
    {
        shift = max(shift - Bits, 0);
        visitScores<Threads>(scores, 0, length, [&](int i, float score, bool inside)
        {
            unsigned key = sortKey(score);
            bool counts = inside && (key & mask) == prefix;
            if (__ballot_sync(AllLanes, counts) != 0)
            {
                unsigned digit = counts ? (key >> shift) & (Buckets - 1) : Buckets;
                unsigned same = __match_any_sync(AllLanes, digit);
                if (counts)
                {
                    unsigned long long mass = static_cast<unsigned long long>(score * MassUnit);
                    int lanes = __popc(same);
                    if (lanes > FewLanes)
                    {
                        unsigned low = __reduce_add_sync(same, static_cast<unsigned>(mass) & HalfMask);
                        unsigned high = __reduce_add_sync(same, static_cast<unsigned>(mass >> HalfBits));
                        mass = (static_cast<unsigned long long>(high) << HalfBits) + low;
                    }

                    if (lanes <= FewLanes || (same & lower) == 0)
                    {
                        atomicAdd(&histogram[digit], lanes <= FewLanes ? 1 : lanes);
                        unsigned low = static_cast<unsigned>(mass);
                        unsigned old = atomicAdd(&lows[digit], low);
                        unsigned high = static_cast<unsigned>(mass >> 32) + (old + low < old ? 1 : 0);
                        if (high != 0)
                        {
                            atomicAdd(&highs[digit], high);
                        }
                    }
                }
            }
        });
        __syncthreads();
        int top = Buckets - 1 - OwnBuckets * static_cast<int>(threadIdx.x);
        int sizes[OwnBuckets];
        unsigned long long masses[OwnBuckets];
        int own = 0;
        unsigned long long ownMass = 0;
#pragma unroll
        for (int b = 0; b < OwnBuckets; b++)
        {
            sizes[b] = histogram[top - b];
            masses[b] = (static_cast<unsigned long long>(highs[top - b]) << 32) + lows[top - b];
            histogram[top - b] = 0;
            lows[top - b] = 0;
            highs[top - b] = 0;
            own += sizes[b];
            ownMass += masses[b];
        }

        int before = sumUpTo(own, lane);
        unsigned long long massBefore = sumUpTo(ownMass, lane);
        if (lane == 31)
        {
            totals[warp] = before;
            massTotals[warp] = massBefore;
        }

        __syncthreads();
        before += __reduce_add_sync(AllLanes, lane < warp ? totals[lane] : 0) - own;
        massBefore -= ownMass;
        for (int w = 0; w < warp; w++)
        {
            massBefore += massTotals[w];
        }

#pragma unroll
        for (int b = 0; b < OwnBuckets; b++)
        {
            if (massBefore <= left && massBefore + masses[b] > left)
            {
                decision = make_int3(top - b, before, sizes[b]);
                massDecision = massBefore;
            }

            before += sizes[b];
            massBefore += masses[b];
        }

        __syncthreads();
        if (decision.z == 0)
        {
            // All together do not exceed the limit.
            break;
        }

        prefix |= static_cast<unsigned>(decision.x) << shift;
        counted += decision.y;
        open = decision.z;
        left -= massDecision;
        mask = 0xffffffffu << shift;
    }

    if (threadIdx.x == 0)
    {
        int count = length;
        if (mask != 0)
        {
            // All that are left have the same score, or there is one.
            count = counted + 1;
            if (open > 1)
            {
                count += static_cast<int>(left / static_cast<unsigned long long>(__uint_as_float(prefix ^ 0x80000000u) * MassUnit));
            }
        }

        (blockIdx.y == 0 ? columnCounts : diagonalCounts)[blockIdx.x] = min(length, max(blockIdx.y == 0 ? columnFloor : diagonalFloor, count));
    }
}
