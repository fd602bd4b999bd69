// Scores of queries with keys on the tensor cores of compute capability 8.0 and later, for blocks of 128 threads. Each warp holds 16 TILES rows of one side in registers for as long as
// it needs them, so that only the other side's tiles, of which every warp takes all rows (the columns of the scores), are read from shared memory again and again.
//
// Constants: TYPE, HEAD (rounded up to 16).
#pragma once

#include "ptx.cuh"

static constexpr int Warps = 4;
static constexpr int Threads = 32 * Warps;
static constexpr int Stride = HEAD + 8;
static constexpr int Chunks = HEAD / 8;

// ROWS rows to shared memory, the first `count` from where `source(row)` says, the rest zeros.
template <int ROWS, typename Source>
static __device__ __forceinline__ void loadRows(Element* target, int count, int dimension, const Element* anywhere, Source source)
{
#pragma unroll 8
    for (int chunk = threadIdx.x; chunk < ROWS * Chunks; chunk += Threads)
    {
        int row = chunk / Chunks;
        int column = chunk % Chunks * 8;
        bool valid = row < count && column < dimension;
        copyAsync(sharedAddress(target + row * Stride + column), valid ? source(row) + column : anywhere, valid);
    }
}

// The same for rows that follow one another from row `first` on.
template <int ROWS>
static __device__ __forceinline__ void loadTile(Element* target, const Element* source, long long rowStride, int first, int count, int dimension)
{
    const Element* start = source + first * rowStride;
    loadRows<ROWS>(target, count, dimension, source, [=](int row) { return start + row * rowStride; });
}

// This warp's rows, from the first of them in shared memory.
template <int TILES>
static __device__ __forceinline__ void holdRows(unsigned (&held)[HEAD / 16][TILES][4], const Element* rows)
{
    int lane = threadIdx.x & 31;
    unsigned address = sharedAddress(rows + (lane & 15) * Stride + (lane >> 4) * 8);
#pragma unroll
    for (int k = 0; k < HEAD / 16; k++)
    {
#pragma unroll
        for (int t = 0; t < TILES; t++)
        {
            loadMatrices(held[k][t], address + (t * 16 * Stride + k * 16) * 2);
        }
    }
}

// Products of the rows held with COLUMNS rows in shared memory. Lane l has of each tile rows l/4 (the first two of four) and l/4 + 8, of every eight columns 2(l%4) and 2(l%4) + 1.
template <int TILES, int COLUMNS>
static __device__ __forceinline__ void score(float (&scores)[TILES][COLUMNS / 8][4], const unsigned (&held)[HEAD / 16][TILES][4], const Element* columns)
{
    int lane = threadIdx.x & 31;
    unsigned address = sharedAddress(columns + ((lane & 7) + (lane >> 4) * 8) * Stride + ((lane >> 3) & 1) * 8);
#pragma unroll
    for (int t = 0; t < TILES; t++)
    {
#pragma unroll
        for (int n = 0; n < COLUMNS / 8; n++)
        {
            scores[t][n][0] = scores[t][n][1] = scores[t][n][2] = scores[t][n][3] = 0;
        }
    }

#pragma unroll
    for (int k = 0; k < HEAD / 16; k++)
    {
#pragma unroll
        for (int n = 0; n < COLUMNS / 16; n++)
        {
            unsigned b[4];
            loadMatrices(b, address + (n * 16 * Stride + k * 16) * 2);
#pragma unroll
            for (int t = 0; t < TILES; t++)
            {
                multiply(scores[t][2 * n], held[k][t], b[0], b[1]);
                multiply(scores[t][2 * n + 1], held[k][t], b[2], b[3]);
            }
        }
    }
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
