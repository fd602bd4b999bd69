// Sums of the softmax attention of a prompt's last queries by key (columns) and by offset query - key (diagonals), and the largest weight of each key, for all heads
// at once and without keeping the scores: a first pass over the keys finds every query's maximum and sum, a second computes the scores again and adds up.
// All sums are in a fixed order: no float atomics.
//
// Cost: 4 window keys HEAD operations a head; keys read twice.
//
// Constants: TYPE, HEAD (rounded up to 16).
#include "score_tile.cuh"

// Pass 1. Grid: splits of splitKeys keys, tiles of 64 queries, heads. statistics [heads][splits][window] {maximum in base 2, sum}.
extern "C" __global__ void __launch_bounds__(Threads) windowMaxima(
    const Element* queries, const Element* keys, float2* statistics, int length, int window, int splitKeys, int group, int dimension, float scale,
    long long queryHeadStride, long long queryRowStride, long long keyHeadStride, long long keyRowStride)
{
    extern __shared__ __align__(16) Element memory[];
    Element* queryTile = memory;
    Element* keyTiles = memory + Rows * Stride;
    int head = blockIdx.z;
    int firstQuery = blockIdx.y * Rows;
    int count = min(Rows, window - firstQuery);
    int firstPosition = length - window + firstQuery;
    keys += head / group * keyHeadStride;
    int begin = blockIdx.x * splitKeys;
    int end = min(min(length, begin + splitKeys), firstPosition + count);
    loadTile(queryTile, queries + head * queryHeadStride, queryRowStride, firstPosition, count, dimension);
    int lane = threadIdx.x & 31;
    int row = (threadIdx.x >> 5) * 16 + (lane >> 2);
    float maximum[2] = { MinusInfinity, MinusInfinity };
    float total[2] = { 0, 0 };
    if (begin < end)
    {
        loadTile(keyTiles, keys, keyRowStride, begin, end - begin, dimension);
    }

    int buffer = 0;
    for (int key = begin; key < end; key += Keys)
    {
        if (key + Keys < end)
        {
            loadTile(keyTiles + (buffer ^ 1) * Keys * Stride, keys, keyRowStride, key + Keys, end - key - Keys, dimension);
        }
        else
        {
            commitCopies();
        }

        waitCopies<1>();
        __syncthreads();
        float scores[Keys / 8][4];
        score(scores, queryTile, keyTiles + buffer * Keys * Stride);
#pragma unroll
        for (int half = 0; half < 2; half++)
        {
            int last = min(firstPosition + row + half * 8, end - 1);
            float largest = maximum[half];
#pragma unroll
            for (int n = 0; n < Keys / 8; n++)
            {
#pragma unroll
                for (int i = 2 * half; i < 2 * half + 2; i++)
                {
                    scores[n][i] = key + n * 8 + (lane & 3) * 2 + (i & 1) <= last ? scores[n][i] * scale : MinusInfinity;
                    largest = fmaxf(largest, scores[n][i]);
                }
            }

            largest = quadMaximum(largest);
            float base = largest == MinusInfinity ? 0 : largest;
            float sum = 0;
#pragma unroll
            for (int n = 0; n < Keys / 8; n++)
            {
                sum += exponential2(scores[n][2 * half] - base);
                sum += exponential2(scores[n][2 * half + 1] - base);
            }

            total[half] = total[half] * exponential2(maximum[half] - base) + sum;
            maximum[half] = largest;
        }

        buffer ^= 1;
        __syncthreads();
    }

    waitCopies<0>();
#pragma unroll
    for (int half = 0; half < 2; half++)
    {
        float sum = quadSum(total[half]);
        int query = firstQuery + row + half * 8;
        if ((lane & 3) == 0 && query < window)
        {
            statistics[((long long)head * gridDim.x + blockIdx.x) * window + query] = make_float2(maximum[half], sum);
        }
    }
}

// logarithms [heads][window]: log2 of the sum over all splits, in ascending order. Grid: heads.
extern "C" __global__ void windowLogarithms(const float2* statistics, float* logarithms, int splits, int window)
{
    for (int query = threadIdx.x; query < window; query += blockDim.x)
    {
        const float2* first = statistics + (long long)blockIdx.x * splits * window + query;
        float maximum = MinusInfinity;
        for (int s = 0; s < splits; s++)
        {
            maximum = fmaxf(maximum, first[(long long)s * window].x);
        }

        float sum = 0;
        for (int s = 0; s < splits; s++)
        {
            float2 part = first[(long long)s * window];
            sum += exponential2(part.x - maximum) * part.y;
        }

        logarithms[(long long)blockIdx.x * window + query] = maximum + log2f(sum);
    }
}

// Pass 2. Grid: chunks of 256 keys, heads. columnSums, columnMaxima [heads][length]; strips [heads][chunks][256 + window]: sums by offset, of which the first is
// that of the window's first query and the chunk's last key. The weights of a tile of 64 queries and 64 keys go to shared memory, where a half of the threads each add up a key, and the other
// half the two diagonals, one on either side, that have 64 weights together: as many for each, and no two of a warp in one bank.
extern "C" __global__ void __launch_bounds__(Threads) windowSums(
    const Element* queries, const Element* keys, const float* logarithms, float* columnSums, float* columnMaxima, float* strips,
    int length, int window, int group, int dimension, float scale,
    long long queryHeadStride, long long queryRowStride, long long keyHeadStride, long long keyRowStride)
{
    static constexpr int Chunk = 256;
    static constexpr int WeightStride = Keys + 1;

    // Tiles of queries in turn, where there is room.
    static constexpr int QueryTiles = HEAD <= 128 ? 2 : 1;
    extern __shared__ __align__(16) Element memory[];
    Element* keyTile = memory;
    Element* queryTiles = memory + Keys * Stride;
    float* weights = reinterpret_cast<float*>(queryTiles + QueryTiles * Rows * Stride);   // [64][65]
    float* strip = weights + Rows * WeightStride;                                         // [256 + window]
    int head = blockIdx.y;
    int chunk = blockIdx.x * Chunk;
    int firstQuery = length - window;
    queries += head * queryHeadStride;
    keys += head / group * keyHeadStride;
    logarithms += (long long)head * window;
    int warp = threadIdx.x >> 5;
    int lane = threadIdx.x & 31;
    int row = warp * 16 + (lane >> 2);
    int own = threadIdx.x & (Keys - 1);
    bool byKey = threadIdx.x < Keys;
    for (int i = threadIdx.x; i < Chunk + window; i += Threads)
    {
        strip[i] = 0;
    }

    for (int key = chunk; key < min(length, chunk + Chunk); key += Keys)
    {
        // Tiles of queries that come before all keys see none of them.
        int q = max(0, key - firstQuery) / Rows * Rows;
        float columnSum = 0;
        float columnMaximum = 0;
        int buffer = 0;
        loadTile(keyTile, keys, keyRowStride, key, length - key, dimension);
        if (QueryTiles == 2)
        {
            loadTile(queryTiles, queries, queryRowStride, firstQuery + q, min(Rows, window - q), dimension);
        }

        for (; q < window; q += Rows)
        {
            int position = firstQuery + q;
            int count = min(Rows, window - q);
            if (QueryTiles == 1)
            {
                loadTile(queryTiles, queries, queryRowStride, position, count, dimension);
            }
            else if (q + Rows < window)
            {
                loadTile(queryTiles + (buffer ^ 1) * Rows * Stride, queries, queryRowStride, position + Rows, min(Rows, window - q - Rows), dimension);
            }
            else
            {
                commitCopies();
            }

            waitCopies<QueryTiles - 1>();
            __syncthreads();
            float scores[Keys / 8][4];
            score(scores, queryTiles + buffer * Rows * Stride, keyTile);
#pragma unroll
            for (int half = 0; half < 2; half++)
            {
                int r = row + half * 8;
                float logarithm = r < count ? logarithms[q + r] : 0;
#pragma unroll
                for (int n = 0; n < Keys / 8; n++)
                {
#pragma unroll
                    for (int i = 2 * half; i < 2 * half + 2; i++)
                    {
                        int column = n * 8 + (lane & 3) * 2 + (i & 1);
                        weights[r * WeightStride + column] = r < count && key + column <= position + r ? exponential2(fmaf(scores[n][i], scale, -logarithm)) : 0;
                    }
                }
            }

            __syncthreads();
            if (byKey)
            {
#pragma unroll 16
                for (int r = 0; r < Rows; r++)
                {
                    float weight = weights[r * WeightStride + own];
                    columnSum += weight;
                    columnMaximum = fmaxf(columnMaximum, weight);
                }
            }
            else
            {
                // row - column = own, and own - 64.
                float low = 0;
                float high = 0;
#pragma unroll 16
                for (int r = 0; r < Rows; r++)
                {
                    float weight = weights[r * WeightStride + ((r - own) & (Keys - 1))];
                    low += r >= own ? 0 : weight;
                    high += r >= own ? weight : 0;
                }

                // Relative to offset firstQuery - (chunk + Chunk - 1); a tile's lowest diagonals of the last rows fall inside the strip's room.
                int offset = q - (key - chunk) + Chunk - 1 + own;
                if (high != 0)
                {
                    strip[offset] += high;
                }

                if (low != 0)
                {
                    strip[offset - Keys] += low;
                }
            }

            buffer ^= QueryTiles - 1;
            __syncthreads();
        }

        // A tile that no query sees has been loaded all the same.
        waitCopies<0>();
        __syncthreads();
        if (byKey && key + own < length)
        {
            columnSums[(long long)head * length + key + own] = columnSum;
            columnMaxima[(long long)head * length + key + own] = columnMaximum;
        }
    }

    __syncthreads();
    for (int i = threadIdx.x; i < Chunk + window; i += Threads)
    {
        strips[((long long)head * gridDim.x + blockIdx.x) * (Chunk + window) + i] = strip[i];
    }
}

// diagonalSums [heads][length]: the strips of all chunks that hold an offset, in ascending order. Grid: offsets / threads, heads.
extern "C" __global__ void windowDiagonals(const float* strips, float* diagonalSums, int length, int window, int chunks)
{
    static constexpr int Chunk = 256;
    int offset = blockIdx.x * blockDim.x + threadIdx.x;
    if (offset >= length)
    {
        return;
    }

    // Query q of the window meets this offset at key length - window + q - offset.
    int firstKey = max(0, length - window - offset);
    int lastKey = length - 1 - offset;
    float sum = 0;
    for (int c = firstKey / Chunk; c <= lastKey / Chunk; c++)
    {
        sum += strips[((long long)blockIdx.y * chunks + c) * (Chunk + window) + offset - (length - window) + c * Chunk + Chunk - 1];
    }

    diagonalSums[(long long)blockIdx.y * length + offset] = sum;
}

// Importance of tokens by KV head: mean over the group of the sums (or the maximum of the maxima), averaged over `size` neighbours, zeros beyond the ends,
// rounded to bfloat16. Grid: tokens / threads, KV heads.
extern "C" __global__ void windowImportance(const float* values, float* importance, int length, int group, int size, int maximum)
{
    int token = blockIdx.x * blockDim.x + threadIdx.x;
    if (token >= length)
    {
        return;
    }

    float sum = 0;
    for (int t = max(0, token - size / 2); t <= min(length - 1, token + size / 2); t++)
    {
        float value = 0;
        for (int h = 0; h < group; h++)
        {
            float part = values[((long long)blockIdx.y * group + h) * length + t];
            value = maximum ? fmaxf(value, part) : value + part / group;
        }

        sum += value;
    }

    sum /= size;
    unsigned bits = __float_as_uint(sum);
    importance[(long long)blockIdx.y * length + token] = __uint_as_float((bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000);
}
