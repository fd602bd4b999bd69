// y = x Wᵀ by tensor cores on any card from compute capability 8.0, where cuBLASLt is not there: x [rows][depth], W [outputs][depth], y [rows][outputs].
//
// A thread block computes 64 rows x 64 outputs with four warps of 16 rows, in steps of 32 elements of depth that come through a ring of two. Every element's sum is over
// ascending steps, whatever rows and outputs are computed beside it. Cost: 2 rows outputs depth operations; 32 operations a byte of L2.
//
// Constants: TYPE; SINGLE: 1 writes float32, 0 elements; ADD: 1 adds to what y holds (float32).
#include "ptx.cuh"

static constexpr int Stride = 40;     // elements from row to row in shared memory: 16-byte units fall into different banks

static __device__ __forceinline__ void loadTile(Element* target, const Element* source, long long first, long long limit, int depth, int step)
{
    for (int chunk = threadIdx.x; chunk < 256; chunk += 128)
    {
        long long row = first + chunk / 4;
        int column = step * 32 + chunk % 4 * 8;
        bool valid = row < limit && column < depth;
        copyAsync(sharedAddress(target + chunk / 4 * Stride + chunk % 4 * 8), valid ? source + row * depth + column : source, valid);
    }
}

// depth is a multiple of 8. Grid: tiles of outputs, tiles of rows.
extern "C" __global__ void __launch_bounds__(128) product(const Element* x, const Element* weights, void* y, int rows, int outputs, int depth)
{
    __shared__ __align__(16) Element left[2][64 * Stride];
    __shared__ __align__(16) Element right[2][64 * Stride];
    long long firstRow = blockIdx.y * 64LL;
    long long firstOutput = blockIdx.x * 64LL;
    int warp = threadIdx.x >> 5;
    int lane = threadIdx.x & 31;
    int steps = (depth + 31) / 32;
    float sums[8][4] = {};
    loadTile(left[0], x, firstRow, rows, depth, 0);
    loadTile(right[0], weights, firstOutput, outputs, depth, 0);
    commitCopies();
    for (int step = 0; step < steps; step++)
    {
        int buffer = step & 1;
        if (step + 1 < steps)
        {
            loadTile(left[buffer ^ 1], x, firstRow, rows, depth, step + 1);
            loadTile(right[buffer ^ 1], weights, firstOutput, outputs, depth, step + 1);
        }

        commitCopies();
        waitCopies<1>();
        __syncthreads();
        unsigned leftAddress = sharedAddress(left[buffer] + (warp * 16 + (lane & 15)) * Stride + (lane >> 4) * 8);
        unsigned rightAddress = sharedAddress(right[buffer] + ((lane & 7) + (lane >> 4) * 8) * Stride + ((lane >> 3) & 1) * 8);
#pragma unroll
        for (int k = 0; k < 2; k++)
        {
            unsigned a[4];
            loadMatrices(a, leftAddress + k * 32);
#pragma unroll
            for (int n = 0; n < 4; n++)
            {
                unsigned b[4];
                loadMatrices(b, rightAddress + (n * 16 * Stride + k * 16) * 2);
                multiply(sums[2 * n], a, b[0], b[1]);
                multiply(sums[2 * n + 1], a, b[2], b[3]);
            }
        }

        __syncthreads();
    }

#pragma unroll
    for (int n = 0; n < 8; n++)
    {
#pragma unroll
        for (int i = 0; i < 4; i++)
        {
            long long row = firstRow + warp * 16 + (lane >> 2) + (i >> 1) * 8;
            long long output = firstOutput + n * 8 + (lane & 3) * 2 + (i & 1);
            if (row < rows && output < outputs)
            {
                long long place = row * outputs + output;
#if SINGLE
                float* target = static_cast<float*>(y) + place;
                *target = ADD ? *target + sums[n][i] : sums[n][i];
#else
                static_cast<Element*>(y)[place] = static_cast<Element>(pack(sums[n][i], 0) & 0xffff);
#endif
            }
        }
    }
}
