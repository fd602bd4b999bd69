// Scores of queries with keys on the tensor cores of compute capability 8.0 and later, for blocks of 128 threads. Each warp holds 16 TILES rows of one side in registers for as long as
// it needs them, so that only the other side's tiles, of which every warp takes all rows (the columns of the scores), are read from shared memory again and again. Hopper's warpgroup
// products and those of other cards read the same tiles and leave the same scores in the same lanes.
//
// A tile lies in panels of 64 elements by its rows, whose eight 16-byte pieces are exchanged by the row's last three bits: no two rows of eight that are read at once share banks, and it is what
// Hopper calls the 128-byte swizzle. Tiles begin at multiples of 1,024 bytes.
//
// Constants: TYPE, HEAD (rounded up to 16).
#pragma once

#include "ptx.cuh"

// Compute capability 9.0, for which kernels are compiled as sm_90a.
#if __CUDA_ARCH__ == 900
#define WARPGROUPS 1
#include "score_hopper.cuh"
#else
#define WARPGROUPS 0
#endif

static constexpr int Warps = 4;
static constexpr int Threads = 32 * Warps;
static constexpr int Chunks = HEAD / 8;

// Elements of a row of a tile.
static constexpr int Width = (HEAD + 63) / 64 * 64;

// Where eight elements of a row lie in a tile of ROWS rows.
template <int ROWS>
static __device__ __forceinline__ int place(int row, int chunk)
{
    return (chunk / 8 * ROWS + row) * 64 + ((chunk ^ row) & 7) * 8;
}

// ROWS rows to shared memory, in tiles of TILE rows, the first `count` from where `source(row)` says, the rest zeros.
template <int ROWS, int TILE, typename Source>
static __device__ __forceinline__ void loadRows(Element* target, int count, int dimension, const Element* anywhere, Source source)
{
#pragma unroll 8
    for (int i = threadIdx.x; i < ROWS * Chunks; i += Threads)
    {
        int row = i / Chunks;
        int chunk = i % Chunks;
        bool valid = row < count && chunk * 8 < dimension;
        copyAsync(sharedAddress(target + row / TILE * TILE * Width + place<TILE>(row % TILE, chunk)), valid ? source(row) + chunk * 8 : anywhere, valid);
    }
}

// The same for rows that follow one another from row `first` on.
template <int ROWS, int TILE>
static __device__ __forceinline__ void loadTile(Element* target, const Element* source, long long rowStride, int first, int count, int dimension)
{
    const Element* start = source + first * rowStride;
    loadRows<ROWS, TILE>(target, count, dimension, source, [=](int row) { return start + row * rowStride; });
}

// Waits until at most the latest PENDING groups of copies are under way; a barrier must follow.
template <int PENDING>
static __device__ __forceinline__ void waitTiles()
{
    waitCopies<PENDING>();
#if WARPGROUPS
    showProducts();
#endif
}

// This warp's rows, from row `first` on in tiles of TILE rows.
template <int TILES, int TILE>
static __device__ __forceinline__ void holdRows(unsigned (&held)[HEAD / 16][TILES][4], const Element* tiles, int first)
{
    int lane = threadIdx.x & 31;
#pragma unroll
    for (int t = 0; t < TILES; t++)
    {
        int row = first + t * 16 + (lane & 15);
        const Element* tile = tiles + row / TILE * TILE * Width;
#pragma unroll
        for (int k = 0; k < HEAD / 16; k++)
        {
            loadMatrices(held[k][t], sharedAddress(tile + place<TILE>(row % TILE, k * 2 + (lane >> 4))));
        }
    }
}

// Products of the rows held with COLUMNS rows of a tile of TILE rows in shared memory, from row `first` on. Lane l has of each 16 rows l/4 (the first two of four) and l/4 + 8, of every eight
// columns 2(l%4) and 2(l%4) + 1.
template <int TILES, int COLUMNS, int TILE>
static __device__ __forceinline__ void score(float (&scores)[TILES][COLUMNS / 8][4], const unsigned (&held)[HEAD / 16][TILES][4], const Element* tile, int first)
{
#if WARPGROUPS
    unsigned long long columns = matrix(sharedAddress(tile) + first * 128);
    beginProducts();
#pragma unroll
    for (int k = 0; k < HEAD / 16; k++)
    {
#pragma unroll
        for (int t = 0; t < TILES; t++)
        {
            multiplyRows(scores[t], held[k][t], columns + ((k / 4 * TILE * 128 + k % 4 * 32) >> 4), k > 0);
        }
    }

    endProducts();
#pragma unroll
    for (int t = 0; t < TILES; t++)
    {
        pin<COLUMNS>(scores[t]);
    }
#else
    int lane = threadIdx.x & 31;
    unsigned address = sharedAddress(tile + (first + (lane & 7) + (lane >> 4) * 8) * 64);
#pragma unroll
    for (int t = 0; t < TILES; t++)
    {
#pragma unroll
        for (int n = 0; n < COLUMNS / 8; n++)
        {
            scores[t][n][0] = scores[t][n][1] = scores[t][n][2] = scores[t][n][3] = 0;
        }
    }

    unsigned b[2][COLUMNS / 16][4];
    auto load = [&](int k)
    {
        unsigned piece = ((k * 2 + ((lane >> 3) & 1)) ^ lane) & 7;
#pragma unroll
        for (int n = 0; n < COLUMNS / 16; n++)
        {
            loadMatrices(b[k & 1][n], address + piece * 16 + (k / 4 * TILE + n * 16) * 128);
        }
    };
    load(0);
#pragma unroll
    for (int k = 0; k < HEAD / 16; k++)
    {
        // What the next products need is on its way while these are computed.
        if (k + 1 < HEAD / 16)
        {
            load(k + 1);
        }

#pragma unroll
        for (int n = 0; n < COLUMNS / 16; n++)
        {
#pragma unroll
            for (int t = 0; t < TILES; t++)
            {
                multiply(scores[t][2 * n], held[k][t], b[k & 1][n][0], b[k & 1][n][1]);
                multiply(scores[t][2 * n + 1], held[k][t], b[k & 1][n][2], b[k & 1][n][3]);
            }
        }
    }
#endif
}

// Takes scores into the maximum (of scale · score) and the sum of 2^(scale · score - maximum) that each thread keeps of its part of a row; begin with minus infinity and 0.
// A score of minus infinity counts as none. The scale is positive.
template <int TILES, int GROUPS>
static __device__ __forceinline__ void addWeights(float (&maximum)[2 * TILES], float (&total)[2 * TILES], const float (&scores)[TILES][GROUPS][4], float scale)
{
#pragma unroll
    for (int m = 0; m < 2 * TILES; m++)
    {
        int i = m % 2 * 2;
        float largest = MinusInfinity;
#pragma unroll
        for (int n = 0; n < GROUPS; n++)
        {
            largest = fmaxf(largest, fmaxf(scores[m / 2][n][i], scores[m / 2][n][i + 1]));
        }

        largest = fmaxf(maximum[m], largest * scale);
        float base = largest == MinusInfinity ? 0 : largest;
        float even = 0;
        float odd = 0;
#pragma unroll
        for (int n = 0; n < GROUPS; n++)
        {
            even += exponential2(fmaf(scores[m / 2][n][i], scale, -base));
            odd += exponential2(fmaf(scores[m / 2][n][i + 1], scale, -base));
        }

        total[m] = fmaf(total[m], exponential2(maximum[m] - base), even + odd);
        maximum[m] = largest;
    }
}

// Of a whole row, from the four lanes that have a part each: its maximum and its sum.
static __device__ __forceinline__ float2 joinWeights(float maximum, float total)
{
    float largest = quadMaximum(maximum);
    float base = largest == MinusInfinity ? 0 : largest;
    return make_float2(largest, quadSum(total * exponential2(maximum - base)));
}
