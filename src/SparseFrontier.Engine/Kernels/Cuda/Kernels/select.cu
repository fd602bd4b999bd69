// Selection of the largest scores of many rows at once: radix select, four passes of eight bits, then compaction in ascending order. Ties go to the lower index,
// +∞ is above and NaN below everything, -0 equals 0: the same choice as the processor's from the same scores. Counts are integers, and masses integers in units of
// 2^-40, so that no sum depends on its order. One thread block a row; a row is read six times, from the cache.
#include "ptx.cuh"

static constexpr int Threads = 512;
static constexpr int Warps = Threads / 32;
static constexpr float MassUnit = 1099511627776.0f;   // 2^40
// Scores are parts of attention rows, so that all masses together are below 2^57 for 131,072 rows: neither half overflows in a sum of 32.
static constexpr int HalfBits = 27;
static constexpr unsigned HalfMask = (1u << HalfBits) - 1;

// The order of floats as unsigned integers; forced positions above all.
static __device__ __forceinline__ unsigned sortKey(const float* scores, int i, int count, int forcedFirst, int forcedLast)
{
    if (i < forcedFirst || i >= count - forcedLast)
    {
        return 0xffffffffu;
    }

    float score = scores[i];
    unsigned bits = __float_as_uint(score + 0.0f);
    return score != score ? 0 : bits ^ (static_cast<unsigned>(static_cast<int>(bits) >> 31) | 0x80000000u);
}

// Candidates of a row: counts[row], or min(row + 1 + firstRow, columns) where rows see one more than the row before (causal), or columns.
static __device__ __forceinline__ int candidates(const int* counts, int row, int firstRow, int causal, int columns)
{
    return counts ? counts[row] : causal ? min(columns, firstRow + row + 1) : columns;
}

// Grid: rows; or the rows of a head, heads, where each head's rows are causal by themselves. indices [rows][width]: those of the min(wanted, candidates) largest, ascending, then -1. wanted: wantedOfRow[row], or `width`. found [rows] or null: how many.
extern "C" __global__ void __launch_bounds__(Threads) selectLargest(
    const float* scores, long long stride, const int* counts, int firstRow, int causal, int columns, const int* wantedOfRow, int* indices, int width, int* found,
    int forcedFirst, int forcedLast)
{
    __shared__ int histogram[256];
    __shared__ int decision[2];
    __shared__ int warpCounts[Warps][2];
    long long row = (long long)blockIdx.y * gridDim.x + blockIdx.x;
    scores += row * stride;
    indices += row * width;
    int count = candidates(counts, blockIdx.x, firstRow, causal, columns);
    int wanted = min(min(wantedOfRow ? wantedOfRow[row] : width, width), count);
    for (int i = wanted + threadIdx.x; i < width; i += Threads)
    {
        indices[i] = -1;
    }

    if (found && threadIdx.x == 0)
    {
        found[row] = wanted;
    }

    if (wanted == 0)
    {
        return;
    }

    int left = wanted;
    unsigned prefix = 0;
    for (int shift = 24; shift >= 0; shift -= 8)
    {
        for (int i = threadIdx.x; i < 256; i += Threads)
        {
            histogram[i] = 0;
        }

        __syncthreads();
        unsigned mask = shift == 24 ? 0 : 0xffffffffu << (shift + 8);
        for (int i = threadIdx.x; i < count; i += Threads)
        {
            unsigned key = sortKey(scores, i, count, forcedFirst, forcedLast);
            if ((key & mask) == prefix)
            {
                // Neighbours often fall into the same bucket: one lane adds for all that do.
                unsigned digit = (key >> shift) & 255;
                unsigned same = __match_any_sync(__activemask(), digit);
                if ((same & ((1u << (threadIdx.x & 31)) - 1)) == 0)
                {
                    atomicAdd(&histogram[digit], __popc(same));
                }
            }
        }

        __syncthreads();
        if (threadIdx.x < 32)
        {
            // From the highest bucket down; lane l takes the buckets 255 - 8 l and the seven below.
            int top = 255 - 8 * static_cast<int>(threadIdx.x);
            int own = 0;
            for (int b = 0; b < 8; b++)
            {
                own += histogram[top - b];
            }

            int before = own;
#pragma unroll
            for (int distance = 1; distance < 32; distance <<= 1)
            {
                int other = __shfl_up_sync(AllLanes, before, distance);
                before += static_cast<int>(threadIdx.x) >= distance ? other : 0;
            }

            before -= own;
            if (before < left && left <= before + own)
            {
                int digit = top;
                while (before + histogram[digit] < left)
                {
                    before += histogram[digit--];
                }

                decision[0] = digit;
                decision[1] = left - before;
            }
        }

        __syncthreads();
        prefix |= static_cast<unsigned>(decision[0]) << shift;
        left = decision[1];
        __syncthreads();
    }

    // Keys above the threshold, and the first `left` of those equal to it.
    int written = 0;
    int ties = 0;
    int lane = threadIdx.x & 31;
    int warp = threadIdx.x >> 5;
    for (int first = 0; first < count && written < wanted; first += Threads)
    {
        int i = first + threadIdx.x;
        unsigned key = i < count ? sortKey(scores, i, count, forcedFirst, forcedLast) : 0;
        bool above = i < count && key > prefix;
        bool equal = i < count && key == prefix;
        unsigned aboves = __ballot_sync(AllLanes, above);
        unsigned equals = __ballot_sync(AllLanes, equal);
        if (lane == 0)
        {
            warpCounts[warp][0] = __popc(aboves);
            warpCounts[warp][1] = __popc(equals);
        }

        __syncthreads();
        int abovesBefore = 0, tiesBefore = ties, allAboves = 0, allTies = 0;
        for (int w = 0; w < Warps; w++)
        {
            abovesBefore += w < warp ? warpCounts[w][0] : 0;
            tiesBefore += w < warp ? warpCounts[w][1] : 0;
            allAboves += warpCounts[w][0];
            allTies += warpCounts[w][1];
        }

        unsigned lower = (1u << lane) - 1;
        abovesBefore += __popc(aboves & lower);
        tiesBefore += __popc(equals & lower);
        if (above || (equal && tiesBefore < left))
        {
            // Of the ties before, only the first `left` were taken.
            int slot = written + abovesBefore + min(tiesBefore, left) - min(ties, left);
            indices[slot] = i;
        }

        written += allAboves + min(ties + allTies, left) - min(ties, left);
        ties += allTies;
        __syncthreads();
    }
}

// counts [rows]: how many of the largest scores (not negative) it takes for their sum to exceed `limit`, at least `floor` and at most `columns`.
extern "C" __global__ void __launch_bounds__(Threads) countCovering(const float* scores, long long stride, int columns, float limit, int floor, int all, int* counts)
{
    __shared__ unsigned long long masses[256];
    __shared__ int histogram[256];
    __shared__ unsigned long long massBefore;
    __shared__ int countBefore;
    __shared__ int decision;
    scores += blockIdx.x * stride;
    unsigned long long most = static_cast<unsigned long long>(limit * MassUnit);
    if (threadIdx.x == 0)
    {
        massBefore = 0;
        countBefore = 0;
    }

    unsigned prefix = 0;
    for (int shift = 24; shift >= 0; shift -= 8)
    {
        for (int i = threadIdx.x; i < 256; i += Threads)
        {
            histogram[i] = 0;
            masses[i] = 0;
        }

        __syncthreads();
        unsigned mask = shift == 24 ? 0 : 0xffffffffu << (shift + 8);
        for (int i = threadIdx.x; i < columns; i += Threads)
        {
            unsigned key = sortKey(scores, i, columns, 0, 0);
            if ((key & mask) == prefix)
            {
                // One lane adds for all that fall into the same bucket, as above; the halves of 32 masses fit 32 bits.
                unsigned digit = (key >> shift) & 255;
                unsigned same = __match_any_sync(__activemask(), digit);
                unsigned long long mass = static_cast<unsigned long long>(scores[i] * MassUnit);
                unsigned low = __reduce_add_sync(same, static_cast<unsigned>(mass) & HalfMask);
                unsigned high = __reduce_add_sync(same, static_cast<unsigned>(mass >> HalfBits));
                if ((same & ((1u << (threadIdx.x & 31)) - 1)) == 0)
                {
                    atomicAdd(&histogram[digit], __popc(same));
                    atomicAdd(&masses[digit], (static_cast<unsigned long long>(high) << HalfBits) + low);
                }
            }
        }

        __syncthreads();
        if (threadIdx.x == 0)
        {
            int digit = 255;
            while (digit > 0 && massBefore + masses[digit] <= most)
            {
                massBefore += masses[digit];
                countBefore += histogram[digit--];
            }

            decision = digit;
        }

        __syncthreads();
        prefix |= static_cast<unsigned>(decision) << shift;
        __syncthreads();
    }

    if (threadIdx.x == 0)
    {
        // All that are left have the same score.
        float score = __uint_as_float(prefix ^ 0x80000000u);
        unsigned long long mass = prefix & 0x80000000u ? static_cast<unsigned long long>(score * MassUnit) : 0;
        int count = mass == 0 ? columns : countBefore + static_cast<int>((most - massBefore) / mass) + 1;
        counts[blockIdx.x] = all ? columns : min(columns, max(floor, count));
    }
}
