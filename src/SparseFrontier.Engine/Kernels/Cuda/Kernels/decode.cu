// Softmax attention of one query per head over cached tokens, for all sequences of a batch: O = softmax(scale q Kᵀ) V. Memory-bound.
//
// The query heads that share a list of tokens (a group, or a single head) are the rows of one 16-row product, so that each key and value is read once for all of
// them. A list is cut into pieces whose size depends on its own length alone; a thread block takes one piece, its four warps every fourth 16 tokens of it. Keys and
// values go from global memory straight into the products' registers, 16 bytes a thread: the elements of a vector may be taken in any order as long as q and k
// agree, and v's columns in any order that the output is written back in. Four warps, then the pieces, are merged in a fixed order, so that a sequence's result
// depends neither on its companions nor on timing.
//
// A cache is the prompt's tokens, which sequences share, and a tail of its own: token t lies at the tail's base from `splits` of the cache on, whose address is moved
// back so that token t is its row t too.
//
// Cost: 4 HEAD bytes a token of a list, read once; 8 HEAD bytes a query head and piece written and read.
//
// Constants: TYPE, HEAD (rounded up to 64), PAGE: 0 = token t of a list is token t of its cache; else lists name pages of PAGE tokens. HALVES: 1 where a list has at
// most 8 query heads: the lower half of each product is then empty and takes no registers, so that more thread blocks fit and more reads are under way.
#include "ptx.cuh"

static constexpr int Warps = 4;
static constexpr int Slots = HEAD / 64;

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

// Tokens of a piece of a list of n tokens.
static __device__ __forceinline__ int pieceTokens(int n)
{
    int size = 256;
    while (size < 1024 && size * 128 < n)
    {
        size *= 2;
    }

    return size;
}

static __device__ __forceinline__ uint4 loadRow(const Element* row, int column, bool valid)
{
    return valid ? __ldg(reinterpret_cast<const uint4*>(row + column)) : make_uint4(0, 0, 0, 0);
}

static __device__ __forceinline__ uint4 load(const Element* base, long long row, int stride, int column, bool valid)
{
    return valid ? __ldg(reinterpret_cast<const uint4*>(base + row * stride + column)) : make_uint4(0, 0, 0, 0);
}

static __device__ __forceinline__ long long rowOf(const int* pages, int token)
{
#if PAGE == 0
    return token;
#else
    return (long long)__ldg(pages + token / PAGE) * PAGE + token % PAGE;
#endif
}

// queries [lists x queriesOfList, dimension]; keyBases, valueBases, tailKeyBases, tailValueBases [caches] addresses, splits [caches] or null without tails, cache of a list = list x queriesOfList / group; tokens [lists];
// pageOffsets [lists] into pages. partials [lists][pieces][queriesOfList][HEAD] and statistics [lists][pieces][queriesOfList] {maximum in base 2, sum}.
// times: null, or when this kernel began and, 0 before, when combine ended.
extern "C" __global__ void __launch_bounds__(32 * Warps) decode(
    const Element* queries, const unsigned long long* keyBases, const unsigned long long* valueBases, const unsigned long long* tailKeyBases,
    const unsigned long long* tailValueBases, const int* splits, const int* tokens, const long long* pageOffsets, const int* pages, float* partials, float2* statistics, int pieces, int queriesOfList, int group, int dimension, int stride, float scale, unsigned long long* times)
{
    extern __shared__ __align__(16) float merged[]; // [Warps][16][HEAD], then maxima and sums [Warps][16]
    float* maxima = merged + Warps * 16 * HEAD;
    float* totals = maxima + Warps * 16;
    if (times && (blockIdx.x | blockIdx.y | blockIdx.z | threadIdx.x) == 0)
    {
        times[0] = nanoseconds();
    }

    int list = blockIdx.y;
    int count = tokens[list];
    int size = pieceTokens(count);
    int begin = blockIdx.x * size;
    if (begin >= count)
    {
        return;
    }

    int end = min(count, begin + size);
    int firstQuery = blockIdx.z * 16;
    int rows = min(16, queriesOfList - firstQuery);
    long long cache = (long long)list * queriesOfList / group;
    const Element* keys = reinterpret_cast<const Element*>(keyBases[cache]);
    const Element* values = reinterpret_cast<const Element*>(valueBases[cache]);
    int split = splits ? splits[cache] : 0x7fffffff;
    const Element* tailKeys = splits ? reinterpret_cast<const Element*>(tailKeyBases[cache]) : keys;
    const Element* tailValues = splits ? reinterpret_cast<const Element*>(tailValueBases[cache]) : values;
    queries += ((long long)list * queriesOfList + firstQuery) * dimension;
#if PAGE != 0
    pages += pageOffsets[list];
#endif
    int warp = threadIdx.x >> 5;
    int lane = threadIdx.x & 31;
    int row = lane >> 2;
    int quarter = lane & 3;

    // Step s of 16 elements takes elements 32 (s / 2) + 8 quarter + 4 (s % 2) .. + 3 of each vector.
    uint4 query[HEAD / 32][HALVES];
#pragma unroll
    for (int q = 0; q < HEAD / 32; q++)
    {
        int column = q * 32 + quarter * 8;
        query[q][0] = load(queries, row, dimension, column, row < rows && column < dimension);
#if HALVES == 2
        query[q][1] = load(queries, row + 8, dimension, column, row + 8 < rows && column < dimension);
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

    for (int token = begin + warp * 16; token < end; token += Warps * 16)
    {
        uint4 key[2][HEAD / 32];
#pragma unroll
        for (int n = 0; n < 2; n++)
        {
            int t = token + n * 8 + row;
            long long source = rowOf(pages, min(t, end - 1));
            const Element* vector = (source < split ? keys : tailKeys) + source * stride;
#pragma unroll
            for (int q = 0; q < HEAD / 32; q++)
            {
                int column = q * 32 + quarter * 8;
                key[n][q] = loadRow(vector, column, t < end && column < dimension);
            }
        }

        uint4 value[4][Slots];
#pragma unroll
        for (int v = 0; v < 4; v++)
        {
            int t = token + (v >> 1) * 8 + quarter * 2 + (v & 1);
            long long source = rowOf(pages, min(t, end - 1));
            const Element* vector = (source < split ? values : tailValues) + source * stride;
#pragma unroll
            for (int p = 0; p < Slots; p++)
            {
                int column = p * 64 + row * 8;
                value[v][p] = loadRow(vector, column, t < end && column < dimension);
            }
        }

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
                multiplyHalves(scores[n], low, key[n][q].x, key[n][q].y);
                multiplyHalves(scores[n], high, key[n][q].z, key[n][q].w);
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
            const unsigned words[4][4] = {
                { value[0][p].x, value[0][p].y, value[0][p].z, value[0][p].w }, { value[1][p].x, value[1][p].y, value[1][p].z, value[1][p].w },
                { value[2][p].x, value[2][p].y, value[2][p].z, value[2][p].w }, { value[3][p].x, value[3][p].y, value[3][p].z, value[3][p].w } };
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

#pragma unroll
    for (int half = 0; half < HALVES; half++)
    {
        float sum = quadSum(total[half]);
        int slot = warp * 16 + half * 8 + row;
        if (quarter == 0)
        {
            maxima[slot] = maximum[half];
            totals[slot] = sum;
        }

#pragma unroll
        for (int d = 0; d < HEAD / 8; d++)
        {
            int column = (d >> 3) * 64 + quarter * 16 + (d & 7);
            merged[slot * HEAD + column] = sums[d][2 * half];
            merged[slot * HEAD + column + 8] = sums[d][2 * half + 1];
        }
    }

    __syncthreads();
    long long first = ((long long)list * pieces + blockIdx.x) * queriesOfList + firstQuery;
    for (int i = threadIdx.x; i < rows * HEAD; i += 32 * Warps)
    {
        int r = i / HEAD;
        float largest = fmaxf(fmaxf(maxima[r], maxima[16 + r]), fmaxf(maxima[32 + r], maxima[48 + r]));
        float result = 0;
        float sum = 0;
#pragma unroll
        for (int w = 0; w < Warps; w++)
        {
            float factor = exponential2(maxima[w * 16 + r] - largest);
            result += factor * merged[(w * 16 + r) * HEAD + i % HEAD];
            sum += factor * totals[w * 16 + r];
        }

        partials[(first + r) * HEAD + i % HEAD] = result;
        if (i % HEAD == 0)
        {
            statistics[first + r] = make_float2(largest, sum);
        }
    }
}

// Merges the pieces of each query in ascending order. One thread block a query head, one thread an element; a list without tokens gives 0. times as for decode.
extern "C" __global__ void __launch_bounds__(HEAD) combine(
    const float* partials, const float2* statistics, const int* tokens, Element* output, float* logSumExp, int pieces, int queriesOfList, int dimension, unsigned long long* times)
{
    // Factors and weighted sums of so many pieces at a time, so that the loop over them has nothing to wait for but its own reads.
    __shared__ float factors[HEAD];
    __shared__ float totals[HEAD];
    __shared__ float largest[HEAD / 32];
    int query = blockIdx.x;
    int list = query / queriesOfList;
    int count = tokens[list];
    int size = pieceTokens(count);
    int used = (count + size - 1) / size;
    statistics += (long long)list * pieces * queriesOfList + query % queriesOfList;
    partials += ((long long)list * pieces * queriesOfList + query % queriesOfList) * HEAD + threadIdx.x;
    float maximum = MinusInfinity;
    for (int piece = threadIdx.x; piece < used; piece += HEAD)
    {
        maximum = fmaxf(maximum, statistics[(long long)piece * queriesOfList].x);
    }

#pragma unroll
    for (int distance = 16; distance > 0; distance >>= 1)
    {
        maximum = fmaxf(maximum, __shfl_xor_sync(AllLanes, maximum, distance));
    }

    if ((threadIdx.x & 31) == 0)
    {
        largest[threadIdx.x >> 5] = maximum;
    }

    __syncthreads();
#pragma unroll
    for (int w = 0; w < HEAD / 32; w++)
    {
        maximum = fmaxf(maximum, largest[w]);
    }

    float result = 0;
    float sum = 0;
    for (int first = 0; first < used; first += HEAD)
    {
        int part = min(HEAD, used - first);
        if (threadIdx.x < part)
        {
            float2 piece = statistics[(long long)(first + threadIdx.x) * queriesOfList];
            float factor = exponential2(piece.x - maximum);
            factors[threadIdx.x] = factor;
            totals[threadIdx.x] = factor * piece.y;
        }

        __syncthreads();
#pragma unroll 8
        for (int piece = 0; piece < part; piece++)
        {
            result += factors[piece] * partials[(long long)(first + piece) * queriesOfList * HEAD];
            sum += totals[piece];
        }

        __syncthreads();
    }

    if (threadIdx.x < dimension)
    {
        output[(long long)query * dimension + threadIdx.x] = static_cast<Element>(pack(sum > 0 ? result / sum : 0, 0) & 0xffff);
    }

    if (threadIdx.x == 0)
    {
        if (logSumExp)
        {
            logSumExp[query] = sum > 0 ? (maximum + log2f(sum)) * Ln2 : MinusInfinity;
        }

        if (times)
        {
            atomicMax(times + 1, nanoseconds());
        }
    }
}
