// Sums of the softmax attention of a prompt's last queries by key (columns) and by offset query - key (diagonals), and the largest weight of each key, for all heads
// at once and without keeping the scores: a first pass over the keys finds every query's maximum and sum, a second computes the scores again and adds up.
// All sums are in a fixed order: no float atomics.
//
// Both passes hold what a block is about in registers and send the other side past it: the first holds queries, so that a thread meets all keys of its rows, the second keys, so that a
// thread adds up its keys' weights with no help from others. Tiles pass through three places in shared memory, two of which first serve to load what is held.
//
// Cost: 4 window length HEAD operations a head. Pass 1 reads keys once for 128 queries (64 where HEAD exceeds 128) of a group, pass 2 queries once for as many keys, and those once for each part
// of a group's heads.
//
// Constants: TYPE, HEAD (rounded up to 16).
#include "score_tile.cuh"

// Rows that a warp holds: as many as have room in 64 registers.
static constexpr int RowTiles = HEAD <= 128 ? 2 : 1;
static constexpr int WarpRows = 16 * RowTiles;
static constexpr int Rows = Warps * WarpRows;
static constexpr int Columns = Rows / 2;
static constexpr int Stages = 3;

// Columns that are taken at once, in pass 1 and in pass 2: as many scores as find room in registers beside what else they keep.
static constexpr int MaximaColumns = WARPGROUPS ? Columns : 32;
static constexpr int PartColumns = 32;

// Three blocks on a multiprocessor have 168 registers a thread.
static constexpr int Resident = 3;

// Pass 1. Grid: splits of splitKeys keys, tiles of `Rows` queries of a group (its heads' windows one after the other), KV heads. statistics [heads][window][splits] {maximum in base 2, sum}.
extern "C" __global__ void __launch_bounds__(Threads, Resident) windowMaxima(
    const Element* queries, const Element* keys, float2* statistics, int length, int window, int splitKeys, int group, int dimension, float scale,
    long long queryHeadStride, long long queryRowStride, long long keyHeadStride, long long keyRowStride)
{
    extern __shared__ __align__(1024) Element stages[];
    int first = blockIdx.y * Rows;
    int count = min(Rows, group * window - first);
    int firstHead = first / window;
    int firstQuery = first - firstHead * window;
    int firstPosition = length - window;
    int begin = blockIdx.x * splitKeys;

    // Where all queries are of one head, keys after the last of them are left out.
    int end = min(min(length, begin + splitKeys), firstPosition + min(window, firstQuery + count));
    queries += (blockIdx.z * group + firstHead) * queryHeadStride;
    keys += blockIdx.z * keyHeadStride;
    loadRows<Rows, Columns>(stages, count, dimension, queries, [=](int row)
    {
        int query = firstQuery + row;
        int head = 0;
        if (window < Rows)
        {
            head = query / window;
            query -= head * window;
        }
        else if (query >= window)
        {
            head = 1;
            query -= window;
        }

        return queries + head * queryHeadStride + (firstPosition + query) * queryRowStride;
    });
    commitCopies();
    int stage = 2;
    loadTile<Columns, Columns>(stages + stage * Columns * Width, keys, keyRowStride, begin, end - begin, dimension);
    commitCopies();
    waitTiles<1>();
    __syncthreads();
    int lane = threadIdx.x & 31;
    int firstRow = (threadIdx.x >> 5) * WarpRows;
    unsigned held[HEAD / 16][RowTiles][4];
    holdRows<RowTiles, Columns>(held, stages, firstRow);
    __syncthreads();
    if (begin + Columns < end)
    {
        loadTile<Columns, Columns>(stages, keys, keyRowStride, begin + Columns, end - begin - Columns, dimension);
    }

    commitCopies();
    float maximum[2 * RowTiles];
    float total[2 * RowTiles];
#pragma unroll
    for (int m = 0; m < 2 * RowTiles; m++)
    {
        maximum[m] = MinusInfinity;
        total[m] = 0;
    }

    for (int key = begin; key < end; key += Columns)
    {
        waitTiles<1>();
        __syncthreads();

        // All have left the place of the tile before.
        int next = key + 2 * Columns;
        if (next < end)
        {
            loadTile<Columns, Columns>(stages + (stage == 0 ? 2 : stage - 1) * Columns * Width, keys, keyRowStride, next, end - next, dimension);
        }

        commitCopies();
#pragma unroll
        for (int part = 0; part < Columns; part += MaximaColumns)
        {
            float scores[RowTiles][MaximaColumns / 8][4];
            score<RowTiles, MaximaColumns, Columns>(scores, held, stages + stage * Columns * Width, part);
            if (key + Columns > end || key + Columns - 1 > firstPosition)
            {
#pragma unroll
                for (int m = 0; m < 2 * RowTiles; m++)
                {
                    int last = min(end - 1, firstPosition + (first + firstRow + m * 8 + (lane >> 2)) % window);
#pragma unroll
                    for (int n = 0; n < MaximaColumns / 8; n++)
                    {
#pragma unroll
                        for (int i = 0; i < 2; i++)
                        {
                            if (key + part + n * 8 + (lane & 3) * 2 + i > last)
                            {
                                scores[m / 2][n][m % 2 * 2 + i] = MinusInfinity;
                            }
                        }
                    }
                }
            }

            addWeights(maximum, total, scores, scale);
        }

        stage = stage == 2 ? 0 : stage + 1;
    }

    waitCopies<0>();
#pragma unroll
    for (int m = 0; m < 2 * RowTiles; m++)
    {
        float2 whole = joinWeights(maximum[m], total[m]);
        int row = firstRow + m * 8 + (lane >> 2);
        if ((lane & 3) == 0 && row < count)
        {
            statistics[((long long)blockIdx.z * group * window + first + row) * gridDim.x + blockIdx.x] = whole;
        }
    }
}

// logarithms [heads][window]: log2 of the sum over all splits; 0 where all scores are minus infinity, whose weights then are 0. Grid: queries / warps of a block; rows: queries of all heads.
extern "C" __global__ void windowLogarithms(const float2* statistics, float* logarithms, int splits, int rows)
{
    int row = blockIdx.x * (blockDim.x >> 5) + (threadIdx.x >> 5);
    int lane = threadIdx.x & 31;
    if (row >= rows)
    {
        return;
    }

    statistics += (long long)row * splits;
    float maximum = MinusInfinity;
    for (int s = lane; s < splits; s += 32)
    {
        maximum = fmaxf(maximum, statistics[s].x);
    }

    for (int step = 16; step > 0; step >>= 1)
    {
        maximum = fmaxf(maximum, __shfl_xor_sync(AllLanes, maximum, step));
    }

    float sum = 0;
    for (int s = lane; s < splits; s += 32)
    {
        float2 part = statistics[s];
        sum += exponential2(part.x - maximum) * part.y;
    }

    for (int step = 16; step > 0; step >>= 1)
    {
        sum += __shfl_xor_sync(AllLanes, sum, step);
    }

    if (lane == 0)
    {
        logarithms[row] = maximum == MinusInfinity ? 0 : maximum + log2f(sum);
    }
}

// Lines of weights by diagonal: of a warp's keys and a tile of queries, line r holds at place p the sum of the weights of keys r + 8 m with queries p - WarpRows + 8 m. The eight places at
// either end stay zero.
static constexpr int LineStride = WarpRows + Columns + 8;

// Diagonals of a warp that are complete, or still live, at one time.
static constexpr int Ring = 4 * Columns;

// Adds up what all warps have of `count` places of a strip from `first` on, and clears them.
static __device__ __forceinline__ void emit(float* strip, float* ring, int first, int count, int window)
{
    for (int place = first + threadIdx.x; place < min(first + count, Rows + window); place += Threads)
    {
        float sum = 0;
#pragma unroll
        for (int w = 0; w < Warps; w++)
        {
            float* own = ring + w * Ring + (place & (Ring - 1));
            sum += *own;
            *own = 0;
        }

        strip[place] = sum;
    }
}

// Pass 2. Grid: chunks of `Rows` keys, KV heads times parts of a group's heads, `heads` each. columnSums, columnMaxima [heads][length]; strips [heads][chunks][Rows + window]: sums by offset,
// of which the first is that of the window's first query and the chunk's last key; what comes before a query that sees any of the chunk's keys is not written.
//
// Weights are added up where they are: a thread has the weights of the same four keys (two where HEAD exceeds 128) all along, and of its weights in a tile those eight keys and eight queries
// further lie on one diagonal. What is left of the diagonals, two for eight queries, goes to the warp's lines in shared memory, a line for each eighth key, where a lane adds up a diagonal over the
// eight lines, with two words of a bank never asked for at once. Diagonals that the next tile goes on with wait in a register, those that are complete in the warp's ring, until all warps have theirs.
extern "C" __global__ void __launch_bounds__(Threads, Resident) windowSums(
    const Element* queries, const Element* keys, const float* logarithms, float* columnSums, float* columnMaxima, float* strips,
    int length, int window, int group, int heads, int dimension, float scale,
    long long queryHeadStride, long long queryRowStride, long long keyHeadStride, long long keyRowStride)
{
    extern __shared__ __align__(1024) Element stages[];
    float* lines = reinterpret_cast<float*>(stages + Stages * Columns * Width);   // [warps][8][LineStride]
    float* ring = lines + Warps * 8 * LineStride;                                  // [warps][Ring]
    float* stageLogarithms = ring + Warps * Ring;                                  // [stages][Columns]
    int parts = (group + heads - 1) / heads;
    int kvHead = blockIdx.y / parts;
    int head = kvHead * group + (blockIdx.y - kvHead * parts) * heads;
    int endHead = min((kvHead + 1) * group, head + heads);
    int chunk = blockIdx.x * Rows;
    int firstPosition = length - window;

    // Tiles of queries that come before all keys see none of them.
    int begin = max(0, chunk - firstPosition) / Columns * Columns;
    for (int i = threadIdx.x; i < Warps * (8 * LineStride + Ring); i += Threads)
    {
        lines[i] = 0;
    }

    int nextHead = head;
    int nextQuery = begin;
    auto loadNext = [&](int target)
    {
        if (nextHead < endHead)
        {
            loadTile<Columns, Columns>(
                stages + target * Columns * Width, queries + nextHead * queryHeadStride, queryRowStride, firstPosition + nextQuery, window - nextQuery, dimension);
            if (threadIdx.x < Columns)
            {
                bool valid = nextQuery + threadIdx.x < window;
                copyAsync(stageLogarithms + target * Columns + threadIdx.x, valid ? logarithms + (long long)nextHead * window + nextQuery + threadIdx.x : logarithms, valid);
            }

            nextQuery += Columns;
            if (nextQuery >= window)
            {
                nextQuery = begin;
                nextHead++;
            }
        }

        commitCopies();
    };
    loadTile<Rows, Columns>(stages, keys + kvHead * keyHeadStride, keyRowStride, chunk, length - chunk, dimension);
    commitCopies();
    int stage = 2;
    loadNext(stage);
    waitTiles<1>();
    __syncthreads();
    int lane = threadIdx.x & 31;
    int warp = threadIdx.x >> 5;
    unsigned held[HEAD / 16][RowTiles][4];
    holdRows<RowTiles, Columns>(held, stages, warp * WarpRows);
    __syncthreads();
    loadNext(0);
    int firstKey = chunk + warp * WarpRows;
    float* ownRing = ring + warp * Ring;
    float* ownLines = lines + warp * 8 * LineStride;
    float* written = ownLines + (lane >> 2) * LineStride + 8 + (lane & 3) * 2;
    const float* read = ownLines + 1 + lane;
    for (; head < endHead; head++)
    {
        float* strip = strips + ((long long)head * gridDim.x + blockIdx.x) * (Rows + window);
        float sums[2 * RowTiles];
        float maxima[2 * RowTiles];
#pragma unroll
        for (int m = 0; m < 2 * RowTiles; m++)
        {
            sums[m] = 0;
            maxima[m] = 0;
        }

        float open = 0;
        int q = begin;
        for (; q < window; q += Columns)
        {
            waitTiles<1>();
            __syncthreads();

            // All have left the tile before.
            if (q > begin)
            {
                emit(strip, ring, q - Columns, Columns, window);
            }

            loadNext(stage == 0 ? 2 : stage - 1);
            bool masked = q + Columns > window || firstPosition + q < firstKey + WarpRows - 1;
            float diagonals[Columns / 8 + 2 * RowTiles - 1][2];
#pragma unroll
            for (int part = 0; part < Columns / PartColumns; part++)
            {
                float scores[RowTiles][PartColumns / 8][4];
                score<RowTiles, PartColumns, Columns>(scores, held, stages + stage * Columns * Width, part * PartColumns);
                if (masked)
                {
#pragma unroll
                    for (int m = 0; m < 2 * RowTiles; m++)
                    {
                        int key = firstKey + m * 8 + (lane >> 2);
#pragma unroll
                        for (int n = 0; n < PartColumns / 8; n++)
                        {
#pragma unroll
                            for (int i = 0; i < 2; i++)
                            {
                                int query = q + part * PartColumns + n * 8 + (lane & 3) * 2 + i;
                                if (query >= window || key > firstPosition + query)
                                {
                                    scores[m / 2][n][m % 2 * 2 + i] = MinusInfinity;
                                }
                            }
                        }
                    }
                }

#pragma unroll
                for (int n = 0; n < PartColumns / 8; n++)
                {
                    // The eight queries' place among all of the tile is also that of the diagonal that they are the last to add to.
                    int eight = part * (PartColumns / 8) + n;
                    float2 logarithm = *reinterpret_cast<const float2*>(stageLogarithms + stage * Columns + eight * 8 + (lane & 3) * 2);
#pragma unroll
                    for (int m = 0; m < 2 * RowTiles; m++)
                    {
#pragma unroll
                        for (int i = 0; i < 2; i++)
                        {
                            float weight = exponential2(fmaf(scores[m / 2][n][m % 2 * 2 + i], scale, -(i == 0 ? logarithm.x : logarithm.y)));
                            sums[m] += weight;
                            maxima[m] = fmaxf(maxima[m], weight);
                            float& diagonal = diagonals[eight - m + 2 * RowTiles - 1][i];
                            diagonal = eight == 0 || m == 0 ? weight : diagonal + weight;
                        }
                    }

                    *reinterpret_cast<float2*>(written + eight * 8) = make_float2(diagonals[eight][0], diagonals[eight][1]);
                }
            }

#pragma unroll
            for (int g = Columns / 8; g < Columns / 8 + 2 * RowTiles - 1; g++)
            {
                *reinterpret_cast<float2*>(written + g * 8) = make_float2(diagonals[g][0], diagonals[g][1]);
            }

            __syncwarp();
#pragma unroll
            for (int c = 0; c < Columns / 32; c++)
            {
                float sum = c == 0 ? open : 0;
#pragma unroll
                for (int r = 0; r < 8; r++)
                {
                    sum += read[r * (LineStride + 1) + c * 32];
                }

                ownRing[(q + lane + c * 32 + Rows - WarpRows * (warp + 1)) & (Ring - 1)] = sum;
            }

            open = 0;
            if (lane < WarpRows - 1)
            {
#pragma unroll
                for (int r = 0; r < 8; r++)
                {
                    open += read[r * (LineStride + 1) + Columns];
                }
            }

            stage = stage == 2 ? 0 : stage + 1;
        }

        ownRing[(q + lane + Rows - WarpRows * (warp + 1)) & (Ring - 1)] = open;
        __syncthreads();
        emit(strip, ring, q - Columns, Columns + Rows, window);
#pragma unroll
        for (int m = 0; m < 2 * RowTiles; m++)
        {
            float sum = quadSum(sums[m]);
            float maximum = quadMaximum(maxima[m]);
            int key = firstKey + m * 8 + (lane >> 2);
            if ((lane & 3) == 0 && key < length)
            {
                columnSums[(long long)head * length + key] = sum;
                columnMaxima[(long long)head * length + key] = maximum;
            }
        }
    }

    waitCopies<0>();
}

// diagonalSums [heads][length]: the strips of all chunks that hold an offset, in ascending order. Grid: offsets / threads, heads.
extern "C" __global__ void windowDiagonals(const float* strips, float* diagonalSums, int length, int window, int chunks)
{
    int offset = blockIdx.x * blockDim.x + threadIdx.x;
    if (offset >= length)
    {
        return;
    }

    // Query q of the window meets this offset at key length - window + q - offset.
    int firstKey = max(0, length - window - offset);
    int lastKey = length - 1 - offset;
    float sum = 0;
    for (int c = firstKey / Rows; c <= lastKey / Rows; c++)
    {
        sum += strips[((long long)blockIdx.y * chunks + c) * (Rows + window) + offset - (length - window) + c * Rows + Rows - 1];
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
