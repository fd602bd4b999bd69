// The exact attention that lies in each pair of a block of query rows and a block of keys, summed over the pair, for the control OracleTopK: softmax over all causal keys
// without keeping it, in two passes over the keys as in window.cu. Every sum is in one fixed order.
//
// Layout: queries, keys [heads][length][dimension] by strides; mass [heads][rows][columns] float32 of `rows` block rows from `firstRow` on, of which row r has r + 1 columns.
// Cost: 4 length² / 2 · HEAD operations a head, as much as dense attention; keys read twice a tile of 64 queries. Reference: OracleTopKPrefill.MassScorer.
//
// Constants: TYPE, HEAD (rounded up to 16).
#include "score_tile.cuh"

static constexpr int Rows = 64;
static constexpr int Keys = 64;
static constexpr int WeightStride = Keys + 1;
static constexpr int SumStride = Keys / 2 + 1;

// Grid: tiles of 64 queries, heads. size: rows and keys of a block, 2 to 64, a power of two; a strip begins at a multiple of 64 queries.
extern "C" __global__ void __launch_bounds__(Threads) blockMass(
    const Element* queries, const Element* keys, float* mass, int length, int size, int firstRow, int rows, int columns, int group, int dimension, float scale,
    long long queryHeadStride, long long queryRowStride, long long keyHeadStride, long long keyRowStride)
{
    extern __shared__ __align__(1024) Element memory[];
    Element* queryTile = memory;
    Element* keyTiles = memory + Rows * Width;
    float* weights = reinterpret_cast<float*>(memory + (Rows + 2 * Keys) * Width);
    float* sums = weights + Rows * WeightStride;   // by row and block of keys
    int head = blockIdx.y;
    int firstQuery = firstRow * size + blockIdx.x * Rows;
    int count = min(Rows, length - firstQuery);
    int end = firstQuery + count;
    keys += head / group * keyHeadStride;
    mass += (long long)head * rows * columns;
    loadTile<Rows, Rows>(queryTile, queries + head * queryHeadStride, queryRowStride, firstQuery, count, dimension);
    commitCopies();
    waitCopies<0>();
    __syncthreads();
    unsigned held[HEAD / 16][1][4];
    holdRows<1, Rows>(held, queryTile, (threadIdx.x >> 5) * 16);
    int lane = threadIdx.x & 31;
    int row = (threadIdx.x >> 5) * 16 + (lane >> 2);
    float maximum[2] = { MinusInfinity, MinusInfinity };
    float total[2] = { 0, 0 };
    float logarithm[2] = { 0, 0 };
    int blocks = Rows / size;
    for (int pass = 0; pass < 2; pass++)
    {
        loadTile<Keys, Keys>(keyTiles, keys, keyRowStride, 0, end, dimension);
        commitCopies();
        int buffer = 0;
        for (int key = 0; key < end; key += Keys)
        {
            if (key + Keys < end)
            {
                loadTile<Keys, Keys>(keyTiles + (buffer ^ 1) * Keys * Width, keys, keyRowStride, key + Keys, end - key - Keys, dimension);
            }

            commitCopies();
            waitTiles<1>();
            __syncthreads();
            float scores[1][Keys / 8][4];
            score<1, Keys, Keys>(scores, held, keyTiles + buffer * Keys * Width, 0);
            buffer ^= 1;
            if (count < Rows || key + Keys - 1 > firstQuery)
            {
#pragma unroll
                for (int n = 0; n < Keys / 8; n++)
                {
#pragma unroll
                    for (int i = 0; i < 4; i++)
                    {
                        // Rows beyond the prompt see nothing.
                        int r = row + i / 2 * 8;
                        if (r >= count || key + n * 8 + (lane & 3) * 2 + (i & 1) > firstQuery + r)
                        {
                            scores[0][n][i] = MinusInfinity;
                        }
                    }
                }
            }

            if (pass == 0)
            {
                addWeights(maximum, total, scores, scale);
            }
            else
            {
#pragma unroll
                for (int n = 0; n < Keys / 8; n++)
                {
#pragma unroll
                    for (int i = 0; i < 4; i++)
                    {
                        weights[(row + i / 2 * 8) * WeightStride + n * 8 + (lane & 3) * 2 + (i & 1)] = exponential2(fmaf(scores[0][n][i], scale, -logarithm[i / 2]));
                    }
                }
            }

            __syncthreads();
            if (pass == 0)
            {
                continue;
            }

            for (int i = threadIdx.x; i < Rows * blocks; i += Threads)
            {
                int r = i / blocks;
                int block = i - r * blocks;
                float sum = 0;
                for (int k = block * size; k < (block + 1) * size; k++)
                {
                    sum += weights[r * WeightStride + k];
                }

                sums[r * SumStride + block] = sum;
            }

            __syncthreads();
            for (int i = threadIdx.x; i < blocks * blocks; i += Threads)
            {
                int rowBlock = i / blocks;
                int block = i - rowBlock * blocks;
                int ownRow = blockIdx.x * blocks + rowBlock;
                int column = key / size + block;
                if (ownRow < rows && column <= firstRow + ownRow)
                {
                    float sum = 0;
                    for (int r = rowBlock * size; r < (rowBlock + 1) * size; r++)
                    {
                        sum += sums[r * SumStride + block];
                    }

                    mass[(long long)ownRow * columns + column] = sum;
                }
            }
        }

        waitCopies<0>();
        __syncthreads();
#pragma unroll
        for (int half = 0; half < 2; half++)
        {
            // Rows whose scores are all minus infinity, as those beyond the prompt, have no weights.
            float2 whole = joinWeights(maximum[half], total[half]);
            logarithm[half] = whole.x == MinusInfinity ? 0 : whole.x + log2f(whole.y);
        }
    }
}
