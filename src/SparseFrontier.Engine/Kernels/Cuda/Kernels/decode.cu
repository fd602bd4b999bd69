// Softmax attention of one query per head over cached tokens, for all sequences of a batch: O = softmax(scale q Kᵀ) V. Memory-bound.
//
// The query heads that share a list of tokens (a group, or a single head) are the rows of one 16-row product, so that each key and value is read once for all of
// them. A list is cut into pieces whose size depends on its own length alone, 32 at most; a thread block takes one piece, its four warps every fourth 16 tokens of it.
// Each warp has a ring of STAGES tiles of its own in shared memory, which asynchronous copies fill: what is under way takes no registers, and no barrier of the block stands between
// a warp and its next tile. From there keys and values go into the products' registers 16 bytes a thread: the elements of a vector may be taken in any order as long as q and k
// agree, and v's columns in any order that the output is written back in. Chunks of 16 bytes lie where the eight threads that read at once meet eight different groups of banks.
// Four warps, then the pieces, are merged in a fixed order, the latter by whichever thread block of a list ends last, so that a sequence's result depends neither on its
// companions nor on timing.
//
// A cache is the prompt's tokens, which sequences share, and a tail of its own: token t lies at the tail's base from `splits` of the cache on, whose address is moved
// back so that token t is its row t too.
//
// Cost: 4 HEAD bytes a token of a list, read once; 8 HEAD bytes a query head and piece written and read.
//
// Constants: TYPE, HEAD (rounded up to 64), PAGE: 0 = token t of a list is token t of its cache; else lists name pages of PAGE tokens. HALVES: 1 where a list has at
// most 8 query heads: the lower half of each product is then empty and takes no registers. STAGES: tiles of a warp's ring, as many as shared memory holds. RESIDENT: thread
// blocks of a multiprocessor, whose registers and shared memory must fit.
#include "ptx.cuh"

static constexpr int Warps = 4;
static constexpr int Slots = HEAD / 64;
static constexpr int Rows = 8 * HALVES;
static constexpr int Step = Warps * 16;

// One for each lane of a warp.
static constexpr int MostPieces = 32;
static constexpr int FewestTokens = 128;
static constexpr int TileBytes = 2 * 16 * HEAD * 2;     // keys, then values

// The rows of a product that exist.
static __device__ __forceinline__ void multiplyHalves(float (&d)[2 * HALVES], const unsigned (&a)[4], unsigned b0, unsigned b1)
{
    float all[4] = { d[0], d[1], HALVES == 2 ? d[2 * HALVES - 2] : 0, HALVES == 2 ? d[2 * HALVES - 1] : 0 };
    multiply(all, a, b0, b1);
#pragma unroll
    for (int i = 0; i < 2 * HALVES; i++)
    {
        d[i] = all[i];
    }
}

// Tokens of a piece of a list of n tokens: FewestTokens, then so many that there are no more than MostPieces.
static __device__ __forceinline__ int pieceTokens(int n)
{
    return max(FewestTokens, (n + MostPieces * 64 - 1) / (MostPieces * 64) * 64);
}

static __device__ __forceinline__ uint4 load(const Element* base, long long row, int stride, int column, bool valid)
{
    return valid ? *reinterpret_cast<const uint4*>(base + row * stride + column) : make_uint4(0, 0, 0, 0);
}

// One cache as a list sees it.
struct Source
{
    const Element* rows;        // before `split`
    const Element* tail;        // from there on
    int split;
    int stride;

    __device__ __forceinline__ const Element* at(long long row) const
    {
        return (row < split ? rows : tail) + row * stride;
    }
};

// Where the 16 tokens from one on lie, if they lie side by side: they do not where pages are smaller than that.
static __device__ __forceinline__ long long firstRow(const int* pages, int token)
{
#if PAGE == 0
    return token;
#elif PAGE % 16 == 0
    return (long long)__ldcg(pages + token / PAGE) * PAGE + token % PAGE;
#else
    return 0;
#endif
}

static __device__ __forceinline__ long long rowOf(const int* pages, long long first, int token, int t)
{
#if PAGE == 0 || PAGE % 16 == 0
    return first + (t - token);
#else
    return (long long)__ldcg(pages + t / PAGE) * PAGE + t % PAGE;
#endif
}

// Where 16 bytes of token t of a tile lie, in bytes: threads that read together have tokens t and t + 1 of the keys, and four tokens of the values with the same last bit.
static __device__ __forceinline__ int keyPlace(int t, int chunk)
{
    return (t * (HEAD / 8) + (chunk ^ (t & 1) << 2)) * 16;
}

static __device__ __forceinline__ int valuePlace(int t, int chunk)
{
    return 16 * HEAD * 2 + (t * (HEAD / 8) + (chunk ^ (t & 6))) * 16;
}

// Asks for the keys and values of 16 tokens, a row of HEAD / 8 chunks after the other; zeros beyond the list and the vectors.
static __device__ __forceinline__ void askTile(
    unsigned tile, const Source& keys, const Source& values, const int* pages, long long first, int token, int end, int lane, int dimension)
{
    constexpr int Chunks = HEAD / 8;
    constexpr int Together = Chunks < 32 ? 32 / Chunks : 1;     // rows of one instruction
#pragma unroll
    for (int i = 0; i < 16 / Together; i++)
    {
        int t = i * Together + lane / Chunks;
        int chunk = lane % Chunks;
        long long row = rowOf(pages, first, token, min(token + t, end - 1));
        const Element* key = keys.at(row);
        const Element* value = values.at(row);
        bool valid = token + t < end && chunk * 8 < dimension;
        if (lane < Together * Chunks)
        {
            copyAsync(tile + keyPlace(t, chunk), valid ? key + chunk * 8 : key, valid);
            copyAsync(tile + valuePlace(t, chunk), valid ? value + chunk * 8 : value, valid);
        }
    }
}

static __device__ __forceinline__ uint4 read(unsigned address)
{
    uint4 r;
    asm volatile("ld.shared.v4.b32 {%0, %1, %2, %3}, [%4];" : "=r"(r.x), "=r"(r.y), "=r"(r.z), "=r"(r.w) : "r"(address) : "memory");
    return r;
}

static __device__ __forceinline__ void writeResult(Element* output, float4 sums, float total)
{
    float factor = total > 0 ? 1 / total : 0;
    *reinterpret_cast<uint2*>(output) = make_uint2(pack(sums.x * factor, sums.y * factor), pack(sums.z * factor, sums.w * factor));
}

static __device__ __forceinline__ float logarithm(float maximum, float total)
{
    return total > 0 ? (maximum + log2f(total)) * Ln2 : MinusInfinity;
}

// Waits for a list that another kernel is choosing at the same time. Such lists are read past the first cache, which may hold what was beside them before they were written.
static __device__ __forceinline__ void awaitList(const int* ready, int list)
{
    if (!ready)
    {
        return;
    }

    if (threadIdx.x == 0)
    {
        while (!isPublished(ready + list))
        {
            __nanosleep(100);
        }
    }

    __syncthreads();
}

// queries [lists x queriesOfList, dimension]; keyBases, valueBases, tailKeyBases, tailValueBases [caches] addresses, splits [caches] or null without tails, cache of a
// list = list x queriesOfList / group; tokens [lists]; pageOffsets [lists] into pages. ready [lists]: whether a list is chosen, or null: all are. partials [lists][pieces][queriesOfList][HEAD] and statistics
// [lists][pieces][queriesOfList] {maximum in base 2, sum}. arrivals [lists][sixteens of queries]: 0 before and after. output as queries, and may be these; a list without
// tokens gives 0. logSumExp [lists x queriesOfList] or null. times: null, or when this kernel began and, 0 before, when it ended. Grid: pieces, lists, sixteens of queries.
extern "C" __global__ void __launch_bounds__(32 * Warps, RESIDENT) decode(
    const Element* queries, const unsigned long long* keyBases, const unsigned long long* valueBases, const unsigned long long* tailKeyBases,
    const unsigned long long* tailValueBases, const int* splits, const int* tokens, const long long* pageOffsets, const int* pages, const int* ready, float* partials, float2* statistics,
    int* arrivals, Element* output, float* logSumExp, int pieces, int queriesOfList, int group, int dimension, int stride, float scale, unsigned long long* times)
{
    extern __shared__ __align__(128) float merged[]; // [Warps][STAGES] tiles; then [Warps][Rows][HEAD], maxima and sums [Warps][Rows]
    __shared__ int isLast;
    float* maxima = merged + Warps * Rows * HEAD;
    float* totals = maxima + Warps * Rows;
    int list = blockIdx.y;
    awaitList(ready, list);
    if (times && (blockIdx.x | blockIdx.y | blockIdx.z | threadIdx.x) == 0)
    {
        times[0] = nanoseconds();
    }

    int count = __ldcg(tokens + list);
    int size = pieceTokens(count);
    int begin = blockIdx.x * size;
    if (begin >= count && blockIdx.x > 0)
    {
        return;
    }

    int end = min(count, begin + size);
    int firstQuery = blockIdx.z * 16;
    int rows = min(16, queriesOfList - firstQuery);
    long long cache = (long long)list * queriesOfList / group;
    int split = splits ? splits[cache] : 0x7fffffff;
    const Source keys = { reinterpret_cast<const Element*>(keyBases[cache]), reinterpret_cast<const Element*>((splits ? tailKeyBases : keyBases)[cache]), split, stride };
    const Source values = {
        reinterpret_cast<const Element*>(valueBases[cache]), reinterpret_cast<const Element*>((splits ? tailValueBases : valueBases)[cache]), split, stride };
    long long firstOfList = (long long)list * queriesOfList + firstQuery;
#if PAGE != 0
    pages += __ldcg(pageOffsets + list);
#endif
    int warp = threadIdx.x >> 5;
    int lane = threadIdx.x & 31;
    int row = lane >> 2;
    int quarter = lane & 3;
    int token = begin + warp * 16;
    unsigned ring = sharedAddress(merged) + warp * STAGES * TileBytes;

    // Page numbers are read a tile ahead of what they are for.
    int asked = token;
    long long upcoming = asked < end ? firstRow(pages, asked) : 0;
#pragma unroll
    for (int s = 0; s < STAGES - 1; s++)
    {
        if (asked < end)
        {
            long long first = upcoming;
            if (asked + Step < end)
            {
                upcoming = firstRow(pages, asked + Step);
            }

            askTile(ring + s * TileBytes, keys, values, pages, first, asked, end, lane, dimension);
        }

        commitCopies();
        asked += Step;
    }

    // Step s of 16 elements takes elements 32 (s / 2) + 8 quarter + 4 (s % 2) .. + 3 of each vector.
    uint4 query[HEAD / 32][HALVES];
#pragma unroll
    for (int q = 0; q < HEAD / 32; q++)
    {
        int column = q * 32 + quarter * 8;
        query[q][0] = load(queries, firstOfList + row, dimension, column, row < rows && column < dimension);
#if HALVES == 2
        query[q][1] = load(queries, firstOfList + row + 8, dimension, column, row + 8 < rows && column < dimension);
#endif
    }

    float sums[HEAD / 8][2 * HALVES];
    float maximum[HALVES];
    float total[HALVES];
#pragma unroll
    for (int half = 0; half < HALVES; half++)
    {
        maximum[half] = MinusInfinity;
        total[half] = 0;
#pragma unroll
        for (int d = 0; d < HEAD / 8; d++)
        {
            sums[d][2 * half] = sums[d][2 * half + 1] = 0;
        }
    }

    int slot = 0;
    int free = STAGES - 1;
    for (; token < end; token += Step)
    {
        if (STAGES > 1)
        {
            waitCopies<STAGES - 2 + (STAGES == 1)>();
        }

        // What all lanes asked for is there, and all of them have read the tile before.
        __syncwarp();
        if (asked < end)
        {
            long long first = upcoming;
            if (asked + Step < end)
            {
                upcoming = firstRow(pages, asked + Step);
            }

            askTile(ring + free * TileBytes, keys, values, pages, first, asked, end, lane, dimension);
        }

        commitCopies();
        asked += Step;
        if (STAGES == 1)
        {
            waitCopies<0>();
            __syncwarp();
        }

        unsigned tile = ring + slot * TileBytes;
        slot = slot + 1 == STAGES ? 0 : slot + 1;
        free = free + 1 == STAGES ? 0 : free + 1;
        float scores[2][2 * HALVES] = {};
#pragma unroll
        for (int q = 0; q < HEAD / 32; q++)
        {
            const uint4 upper = query[q][0];
            const uint4 lower = HALVES == 2 ? query[q][HALVES - 1] : make_uint4(0, 0, 0, 0);
            unsigned low[4] = { upper.x, lower.x, upper.y, lower.y };
            unsigned high[4] = { upper.z, lower.z, upper.w, lower.w };
#pragma unroll
            for (int n = 0; n < 2; n++)
            {
                uint4 key = read(tile + keyPlace(n * 8 + row, q * 4 + quarter));
                multiplyHalves(scores[n], low, key.x, key.y);
                multiplyHalves(scores[n], high, key.z, key.w);
            }
        }

#pragma unroll
        for (int half = 0; half < HALVES; half++)
        {
            float largest = maximum[half];
#pragma unroll
            for (int i = 0; i < 4; i++)
            {
                float& score = scores[i >> 1][2 * half + (i & 1)];
                score = token + (i >> 1) * 8 + quarter * 2 + (i & 1) < end ? score * scale : MinusInfinity;
                largest = fmaxf(largest, score);
            }

            largest = quadMaximum(largest);
            float correction = exponential2(maximum[half] - largest);
            maximum[half] = largest;
            float sum = 0;
#pragma unroll
            for (int i = 0; i < 4; i++)
            {
                float& score = scores[i >> 1][2 * half + (i & 1)];
                score = exponential2(score - largest);
                sum += score;
            }

            total[half] = total[half] * correction + sum;
#pragma unroll
            for (int d = 0; d < HEAD / 8; d++)
            {
                sums[d][2 * half] *= correction;
                sums[d][2 * half + 1] *= correction;
            }
        }

        unsigned weights[4] = {
            pack(scores[0][0], scores[0][1]), HALVES == 2 ? pack(scores[0][2 * HALVES - 2], scores[0][2 * HALVES - 1]) : 0,
            pack(scores[1][0], scores[1][1]), HALVES == 2 ? pack(scores[1][2 * HALVES - 2], scores[1][2 * HALVES - 1]) : 0 };
#pragma unroll
        for (int p = 0; p < Slots; p++)
        {
            unsigned words[4][4];
#pragma unroll
            for (int v = 0; v < 4; v++)
            {
                uint4 value = read(tile + valuePlace((v >> 1) * 8 + quarter * 2 + (v & 1), p * 8 + row));
                words[v][0] = value.x;
                words[v][1] = value.y;
                words[v][2] = value.z;
                words[v][3] = value.w;
            }

#pragma unroll
            for (int j = 0; j < 8; j++)
            {
                // Element j of four tokens: column lane / 4 of this product is element 64 p + 8 (lane / 4) + j of the value.
                unsigned selector = j & 1 ? 0x7632 : 0x5410;
                multiplyHalves(
                    sums[p * 8 + j], weights, __byte_perm(words[0][j >> 1], words[1][j >> 1], selector), __byte_perm(words[2][j >> 1], words[3][j >> 1], selector));
            }
        }
    }

    // The rings are done with, and become the room in which warps are merged.
    waitCopies<0>();
    __syncthreads();
#pragma unroll
    for (int half = 0; half < HALVES; half++)
    {
        float sum = quadSum(total[half]);
        int place = warp * Rows + half * 8 + row;
        if (quarter == 0)
        {
            maxima[place] = maximum[half];
            totals[place] = sum;
        }

#pragma unroll
        for (int d = 0; d < HEAD / 8; d++)
        {
            int column = (d >> 3) * 64 + quarter * 16 + (d & 7);
            merged[place * HEAD + column] = sums[d][2 * half];
            merged[place * HEAD + column + 8] = sums[d][2 * half + 1];
        }
    }

    __syncthreads();
    bool alone = count <= size;
    long long firstOfPiece = ((long long)list * pieces + blockIdx.x) * queriesOfList + firstQuery;
    for (int i = threadIdx.x; i < rows * (HEAD / 4); i += 32 * Warps)
    {
        int r = i / (HEAD / 4);
        int column = i % (HEAD / 4) * 4;
        float largest = MinusInfinity;
#pragma unroll
        for (int w = 0; w < Warps; w++)
        {
            largest = fmaxf(largest, maxima[w * Rows + r]);
        }

        float4 result = make_float4(0, 0, 0, 0);
        float sum = 0;
#pragma unroll
        for (int w = 0; w < Warps; w++)
        {
            // A warp without tokens has a maximum of minus infinity, and counts for nothing.
            float own = maxima[w * Rows + r];
            float factor = own > MinusInfinity ? exponential2(own - largest) : 0;
            float4 part = *reinterpret_cast<const float4*>(merged + (w * Rows + r) * HEAD + column);
            result.x += factor * part.x;
            result.y += factor * part.y;
            result.z += factor * part.z;
            result.w += factor * part.w;
            sum += factor * totals[w * Rows + r];
        }

        if (alone && column < dimension)
        {
            writeResult(output + (firstOfList + r) * dimension + column, result, sum);
        }

        if (alone && logSumExp && column == 0)
        {
            logSumExp[firstOfList + r] = logarithm(largest, sum);
        }

        if (!alone)
        {
            *reinterpret_cast<float4*>(partials + (firstOfPiece + r) * HEAD + column) = result;
            if (column == 0)
            {
                statistics[firstOfPiece + r] = make_float2(largest, sum);
            }
        }
    }

    if (!alone)
    {
        int used = (count + size - 1) / size;
        int* own = arrivals + list * gridDim.z + blockIdx.z;
        __threadfence();
        __syncthreads();
        if (threadIdx.x == 0)
        {
            isLast = atomicAdd(own, 1) == used - 1;
        }

        __syncthreads();
        if (!isLast)
        {
            return;
        }

        // All pieces lie in memory now. Their factors first, so that the sums have nothing to wait for but their own reads.
        __threadfence();
        float* factors = merged;    // [rows][MostPieces]
        partials += ((long long)list * pieces * queriesOfList + firstQuery) * HEAD;
        statistics += (long long)list * pieces * queriesOfList + firstQuery;
        for (int r = warp; r < rows; r += Warps)
        {
            float2 pair = lane < used ? __ldcg(statistics + (long long)lane * queriesOfList + r) : make_float2(MinusInfinity, 0);
            float largest = pair.x;
#pragma unroll
            for (int distance = 16; distance > 0; distance >>= 1)
            {
                largest = fmaxf(largest, __shfl_xor_sync(AllLanes, largest, distance));
            }

            float factor = pair.x > MinusInfinity ? exponential2(pair.x - largest) : 0;
            factors[r * MostPieces + lane] = factor;
            float sum = factor * pair.y;
#pragma unroll
            for (int distance = 16; distance > 0; distance >>= 1)
            {
                sum += __shfl_xor_sync(AllLanes, sum, distance);
            }

            if (lane == 0)
            {
                totals[r] = sum;
                if (logSumExp)
                {
                    logSumExp[firstOfList + r] = logarithm(largest, sum);
                }
            }
        }

        __syncthreads();
        for (int i = threadIdx.x; i < rows * (HEAD / 4); i += 32 * Warps)
        {
            int r = i / (HEAD / 4);
            int column = i % (HEAD / 4) * 4;
            float4 result = make_float4(0, 0, 0, 0);
#pragma unroll 16
            for (int piece = 0; piece < used; piece++)
            {
                float factor = factors[r * MostPieces + piece];
                float4 part = __ldcg(reinterpret_cast<const float4*>(partials + ((long long)piece * queriesOfList + r) * HEAD + column));
                result.x += factor * part.x;
                result.y += factor * part.y;
                result.z += factor * part.z;
                result.w += factor * part.w;
            }

            if (column < dimension)
            {
                writeResult(output + (firstOfList + r) * dimension + column, result, totals[r]);
            }
        }

        if (threadIdx.x == 0)
        {
            *own = 0;
        }
    }

    if (times && threadIdx.x == 0)
    {
        atomicMax(times + 1, nanoseconds());
    }
}
