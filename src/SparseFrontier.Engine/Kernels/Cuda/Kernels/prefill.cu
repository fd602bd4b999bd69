// Softmax attention of prompt rows over the keys of a plan: O = softmax(scale Q Kᵀ) V, by tensor cores on any card from compute capability 8.0.
//
// A thread block computes one tile of at most ROWS rows of one head with ROWS / 16 warps, 16 rows each. Its keys come in steps of KEYS: first those of the
// tile's ranges, packed 16 by 16 (so that blocks of 16 or 32 keys fill a step too), then the head's columns that lie in no range of the tile. A step gathers
// its keys by index, so that nothing needs alignment; only steps that a row sees in part are masked. The softmax is the online one: running maximum and sum by
// row, in base 2. Queries stay in registers (in shared memory for long vectors); K of the next step is under way during softmax and P V, V during Q Kᵀ.
//
// Cost: 4 ROWS KEYS HEAD operations a step; 4 HEAD KEYS bytes read from L2. Every row's result depends on its own keys alone, in ascending steps.
//
// Constants: TYPE, HEAD (elements of a vector, rounded up to 16), ROWS (16, 32 or 64), KEYS (32 or 64).
#include "ptx.cuh"

static constexpr int Warps = ROWS / 16;
static constexpr int Threads = 32 * Warps;
static constexpr int Stride = HEAD + 8;       // an odd number of 16-byte units: rows of a matrix fall into different banks
static constexpr int Chunks = HEAD / 8;       // 16-byte units of a vector
static constexpr int NoKey = 0x7fffffff;      // after every row: masked
static constexpr bool QueriesInRegisters = HEAD <= 128;

struct Shared
{
    Element queries[ROWS * Stride];
    Element keys[KEYS * Stride];
    Element values[KEYS * Stride];
    int index[2][KEYS];
    int pending[KEYS + Threads];
    int counts[Warps];
};

// Walks through the keys of a tile, KEYS at a time; all threads hold the same state.
struct Walk
{
    const int2* ranges;
    int rangeBegin, rangeEnd;
    const int* columns;
    int columnEnd;
    int low, last;          // first and last key that any row of the tile may see

    int range, position, end;
    int column, pending;

    __device__ void begin()
    {
        range = rangeBegin - 1;
        pending = 0;
        nextRange();
        int left = 0, right = columnEnd;
        while (left < right)
        {
            int middle = (left + right) >> 1;
            if (columns[middle] <= last) left = middle + 1; else right = middle;
        }

        columnEnd = left;
    }

    // To the next range that holds a key which a row may see; beyond the last range, position >= end.
    __device__ void nextRange()
    {
        position = 0;
        end = 0;
        while (position >= end && ++range < rangeEnd)
        {
            int2 r = __ldg(ranges + range);
            // Whole 64s, so that a row's steps do not depend on where its tile begins.
            position = max(r.x, low & ~63);
            end = min(r.y, last + 1);
        }
    }

    __device__ bool inRanges(int key) const
    {
        int left = rangeBegin, right = rangeEnd;
        while (left < right)
        {
            int middle = (left + right) >> 1;
            if (__ldg(ranges + middle).x <= key) left = middle + 1; else right = middle;
        }

        return left > rangeBegin && key < __ldg(ranges + left - 1).y;
    }

    // Writes the keys of the next step; false where there is none. The caller synchronises before it reads them.
    __device__ bool next(Shared& shared, int* index)
    {
        int thread = threadIdx.x;
        if (range < rangeEnd)
        {
#pragma unroll
            for (int g = 0; g < KEYS / 16; g++)
            {
                int count = min(16, end - position);
                if (thread >> 4 == g)
                {
                    index[thread] = (thread & 15) < count ? position + (thread & 15) : NoKey;
                }

                position += 16;
                if (position >= end && range < rangeEnd)
                {
                    nextRange();
                }
            }

            return true;
        }

        // Columns: those outside the ranges are collected until they fill a step.
        while (pending < KEYS && column < columnEnd)
        {
            int i = column + thread;
            int key = i < columnEnd ? columns[i] : 0;
            bool keep = i < columnEnd && key >= low && !inRanges(key);
            unsigned kept = __ballot_sync(AllLanes, keep);
            if ((thread & 31) == 0)
            {
                shared.counts[thread >> 5] = __popc(kept);
            }

            __syncthreads();
            int before = pending;
            for (int w = 0; w < Warps; w++)
            {
                before += w < thread >> 5 ? shared.counts[w] : 0;
                pending += shared.counts[w];
            }

            if (keep)
            {
                shared.pending[before + __popc(kept & ((1u << (thread & 31)) - 1))] = key;
            }

            column += Threads;
            __syncthreads();
        }

        int count = min(KEYS, pending);
        if (thread < KEYS)
        {
            index[thread] = thread < count ? shared.pending[thread] : NoKey;
        }

        pending -= count;
        int rest = thread < pending ? shared.pending[count + thread] : 0;
        __syncthreads();
        if (thread < pending)
        {
            shared.pending[thread] = rest;
        }

        __syncthreads();
        return count > 0;
    }
};

static __device__ __forceinline__ void loadRows(Element* target, const Element* source, long long rowStride, const int* index, int dimension)
{
#pragma unroll
    for (int i = 0; i < (KEYS * Chunks + Threads - 1) / Threads; i++)
    {
        int chunk = threadIdx.x + i * Threads;
        int row = chunk / Chunks;
        int column = chunk % Chunks * 8;
        if (row < KEYS)
        {
            int key = index[row];
            bool valid = key != NoKey && column < dimension;
            copyAsync(sharedAddress(target + row * Stride + column), valid ? source + key * rowStride + column : source, valid);
        }
    }

    commitCopies();
}

// tiles: [plans][tiles of a plan] {first row, rows, first range, one past the last range}; columnOffsets, columnCounts: [plans]; a single plan serves all heads.
// Strides are in elements, multiples of 8. firstPosition: keys before row 0. window: 0, or the latest keys that a row may see.
extern "C" __global__ void __launch_bounds__(Threads) prefill(
    const Element* queries, const Element* keys, const Element* values, Element* output, float* logSumExp,
    const int4* tiles, const int2* ranges, const int* columnOffsets, const int* columnCounts, const int* columns,
    int plans, int group, int dimension, int rows, int firstPosition, int window, float scale,
    long long queryHeadStride, long long queryRowStride, long long keyHeadStride, long long keyRowStride, long long outputHeadStride, long long outputRowStride)
{
    extern __shared__ __align__(16) unsigned char memory[];
    Shared& shared = *reinterpret_cast<Shared*>(memory);
    int head = blockIdx.y;
    int plan = plans == 1 ? 0 : head;

    // The last tiles, which see most, begin first.
    int4 tile = tiles[(long long)plan * gridDim.x + (gridDim.x - 1 - blockIdx.x)];
    if (tile.y == 0)
    {
        return;
    }

    queries += head * queryHeadStride + tile.x * queryRowStride;
    output += head * outputHeadStride + tile.x * outputRowStride;
    keys += head / group * keyHeadStride;
    values += head / group * keyHeadStride;

    int warp = threadIdx.x >> 5;
    int lane = threadIdx.x & 31;
    int first = firstPosition + tile.x;
    Walk walk;
    walk.ranges = ranges;
    walk.rangeBegin = tile.z;
    walk.rangeEnd = tile.w;
    walk.column = 0;
    walk.columns = columns + columnOffsets[plan];
    walk.columnEnd = columnCounts[plan];
    walk.last = first + tile.y - 1;
    walk.low = window > 0 ? max(0, first - window + 1) : 0;
    walk.begin();

    for (int chunk = threadIdx.x; chunk < ROWS * Chunks; chunk += Threads)
    {
        int row = chunk / Chunks;
        int column = chunk % Chunks * 8;
        bool valid = row < tile.y && column < dimension;
        copyAsync(sharedAddress(shared.queries + row * Stride + column), valid ? queries + row * queryRowStride + column : queries, valid);
    }

    commitCopies();
    int buffer = 0;
    bool more = walk.next(shared, shared.index[0]);
    waitCopies<0>();
    __syncthreads();

    unsigned queryAddress = sharedAddress(shared.queries + (warp * 16 + (lane & 15)) * Stride + (lane >> 4) * 8);
    unsigned queryMatrices[QueriesInRegisters ? HEAD / 16 : 1][4];
    if (QueriesInRegisters)
    {
#pragma unroll
        for (int k = 0; k < HEAD / 16; k++)
        {
            loadMatrices(queryMatrices[QueriesInRegisters ? k : 0], queryAddress + k * 32);
        }
    }

    unsigned keyAddress = sharedAddress(shared.keys + ((lane & 7) + (lane >> 4) * 8) * Stride + ((lane >> 3) & 1) * 8);
    unsigned valueAddress = sharedAddress(shared.values + ((lane & 7) + ((lane >> 3) & 1) * 8) * Stride + (lane >> 4) * 8);
    float sums[HEAD / 8][4];
#pragma unroll
    for (int d = 0; d < HEAD / 8; d++)
    {
        sums[d][0] = sums[d][1] = sums[d][2] = sums[d][3] = 0;
    }

    // Of the rows at `position` and `position` + 8.
    int position = first + warp * 16 + (lane >> 2);
    float maximum[2] = { MinusInfinity, MinusInfinity };
    float total[2] = { 0, 0 };
    if (more)
    {
        loadRows(shared.keys, keys, keyRowStride, shared.index[0], dimension);
    }

    // Whether every row sees every key of the step.
    int own = threadIdx.x < KEYS ? shared.index[0][threadIdx.x] : -1;
    bool whole = __syncthreads_and(threadIdx.x >= KEYS || (own <= first && (window == 0 || own > walk.last - window)));
    while (more)
    {
        loadRows(shared.values, values, keyRowStride, shared.index[buffer], dimension);
        waitCopies<1>();
        __syncthreads();

        float scores[KEYS / 8][4];
#pragma unroll
        for (int n = 0; n < KEYS / 8; n++)
        {
            scores[n][0] = scores[n][1] = scores[n][2] = scores[n][3] = 0;
        }

#pragma unroll
        for (int k = 0; k < HEAD / 16; k++)
        {
            if (!QueriesInRegisters)
            {
                loadMatrices(queryMatrices[0], queryAddress + k * 32);
            }

#pragma unroll
            for (int n = 0; n < KEYS / 16; n++)
            {
                unsigned b[4];
                loadMatrices(b, keyAddress + (n * 16 * Stride + k * 16) * 2);
                multiply(scores[2 * n], queryMatrices[QueriesInRegisters ? k : 0], b[0], b[1]);
                multiply(scores[2 * n + 1], queryMatrices[QueriesInRegisters ? k : 0], b[2], b[3]);
            }
        }

        if (!whole)
        {
#pragma unroll
            for (int n = 0; n < KEYS / 8; n++)
            {
#pragma unroll
                for (int i = 0; i < 4; i++)
                {
                    int key = shared.index[buffer][n * 8 + (lane & 3) * 2 + (i & 1)];
                    int row = position + (i >> 1) * 8;
                    bool seen = key <= row && (window == 0 || key > row - window);
                    scores[n][i] = seen ? scores[n][i] : MinusInfinity;
                }
            }
        }

        more = walk.next(shared, shared.index[buffer ^ 1]);
        __syncthreads();
        if (more)
        {
            loadRows(shared.keys, keys, keyRowStride, shared.index[buffer ^ 1], dimension);
        }
        else
        {
            commitCopies();
        }

#pragma unroll
        for (int half = 0; half < 2; half++)
        {
            float largest = maximum[half];
#pragma unroll
            for (int n = 0; n < KEYS / 8; n++)
            {
                largest = fmaxf(largest, scale * fmaxf(scores[n][2 * half], scores[n][2 * half + 1]));
            }

            largest = quadMaximum(largest);
            float base = largest == MinusInfinity ? 0 : largest;
            float correction = exponential2(maximum[half] - base);
            maximum[half] = largest;
            float sum = 0;
#pragma unroll
            for (int n = 0; n < KEYS / 8; n++)
            {
#pragma unroll
                for (int i = 2 * half; i < 2 * half + 2; i++)
                {
                    scores[n][i] = exponential2(fmaf(scores[n][i], scale, -base));
                    sum += scores[n][i];
                }
            }

            total[half] = total[half] * correction + sum;
#pragma unroll
            for (int d = 0; d < HEAD / 8; d++)
            {
                sums[d][2 * half] *= correction;
                sums[d][2 * half + 1] *= correction;
            }
        }

        waitCopies<1>();
        own = threadIdx.x < KEYS ? shared.index[buffer ^ 1][threadIdx.x] : -1;
        whole = __syncthreads_and(threadIdx.x >= KEYS || (own <= first && (window == 0 || own > walk.last - window)));
#pragma unroll
        for (int k = 0; k < KEYS / 16; k++)
        {
            unsigned weights[4] = {
                pack(scores[2 * k][0], scores[2 * k][1]), pack(scores[2 * k][2], scores[2 * k][3]),
                pack(scores[2 * k + 1][0], scores[2 * k + 1][1]), pack(scores[2 * k + 1][2], scores[2 * k + 1][3]) };
#pragma unroll
            for (int d = 0; d < HEAD / 16; d++)
            {
                unsigned b[4];
                loadMatricesTransposed(b, valueAddress + (k * 16 * Stride + d * 16) * 2);
                multiply(sums[2 * d], weights, b[0], b[1]);
                multiply(sums[2 * d + 1], weights, b[2], b[3]);
            }
        }

        buffer ^= 1;
        __syncthreads();
    }

    waitCopies<0>();
#pragma unroll
    for (int half = 0; half < 2; half++)
    {
        float sum = quadSum(total[half]);
        float factor = sum > 0 ? 1 / sum : 0;
        int row = warp * 16 + half * 8 + (lane >> 2);
        if (logSumExp && (lane & 3) == 0 && row < tile.y)
        {
            logSumExp[(long long)head * rows + tile.x + row] = sum > 0 ? (maximum[half] + log2f(sum)) * Ln2 : MinusInfinity;
        }

        // Each warp has read the last of its own queries: their place takes the output, to be written in whole lines.
#pragma unroll
        for (int d = 0; d < HEAD / 8; d++)
        {
            *reinterpret_cast<unsigned*>(shared.queries + row * Stride + d * 8 + (lane & 3) * 2) = pack(sums[d][2 * half] * factor, sums[d][2 * half + 1] * factor);
        }
    }

    __syncwarp();
    for (int chunk = lane; chunk < 16 * Chunks; chunk += 32)
    {
        int row = warp * 16 + chunk / Chunks;
        int column = chunk % Chunks * 8;
        if (row < tile.y && column < dimension)
        {
            *reinterpret_cast<uint4*>(output + row * outputRowStride + column) = *reinterpret_cast<const uint4*>(shared.queries + row * Stride + column);
        }
    }
}

