// Scores of 64 queries with 64 keys on the tensor cores of compute capability 8.0 and later, both tiles in shared memory; for 128 threads, of which each warp takes 16 queries.
//
// Constants: TYPE, HEAD (rounded up to 16).
#pragma once

#include "ptx.cuh"

static constexpr int Rows = 64;
static constexpr int Keys = 64;
static constexpr int Threads = 128;
static constexpr int Stride = HEAD + 8;
static constexpr int Chunks = HEAD / 8;

// `count` rows from row `first` on, the rest zeros.
static __device__ __forceinline__ void loadTile(Element* target, const Element* source, long long rowStride, int first, int count, int dimension)
{
    for (int chunk = threadIdx.x; chunk < Rows * Chunks; chunk += Threads)
    {
        int row = chunk / Chunks;
        int column = chunk % Chunks * 8;
        bool valid = row < count && column < dimension;
        copyAsync(sharedAddress(target + row * Stride + column), valid ? source + (first + row) * rowStride + column : source, valid);
    }

    commitCopies();
}

// Scores of this warp's 16 queries with 64 keys, both in shared memory.
static __device__ __forceinline__ void score(float (&scores)[Keys / 8][4], const Element* queries, const Element* keys)
{
    int warp = threadIdx.x >> 5;
    int lane = threadIdx.x & 31;
    unsigned queryAddress = sharedAddress(queries + (warp * 16 + (lane & 15)) * Stride + (lane >> 4) * 8);
    unsigned keyAddress = sharedAddress(keys + ((lane & 7) + (lane >> 4) * 8) * Stride + ((lane >> 3) & 1) * 8);
#pragma unroll
    for (int n = 0; n < Keys / 8; n++)
    {
        scores[n][0] = scores[n][1] = scores[n][2] = scores[n][3] = 0;
    }

#pragma unroll
    for (int k = 0; k < HEAD / 16; k++)
    {
        unsigned a[4];
        loadMatrices(a, queryAddress + k * 32);
#pragma unroll
        for (int n = 0; n < Keys / 16; n++)
        {
            unsigned b[4];
            loadMatrices(b, keyAddress + (n * 16 * Stride + k * 16) * 2);
            multiply(scores[2 * n], a, b[0], b[1]);
            multiply(scores[2 * n + 1], a, b[2], b[3]);
        }
    }
}
