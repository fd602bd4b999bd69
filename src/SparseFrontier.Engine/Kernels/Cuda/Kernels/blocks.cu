// Block pooling; a product of float32 matrices for what is computed for the host; and the scores of the controls that look at nothing. The scores of BlockSparse are in block_scores.cu, those of OracleTopK in
// block_mass.cu.
//
// Constants: TYPE.
#include "ptx.cuh"
#include "random.cuh"

// Of `size` consecutive vectors [heads][blocks][dimension]: the sums in float32; or, where the divisor is not 0, the sums divided by it in bfloat16, whatever TYPE is. A thread adds up eight elements of a block, one
// vector after the other. Memory-bound. Grid: blocks x pieces of eight elements / 128, heads. 128 threads.
extern "C" __global__ void __launch_bounds__(128) sumBlocks(const Element* vectors, void* output, int rows, int size, int dimension, long long headStride, long long rowStride, float divisor)
{
    int pieces = dimension / 8;
    int blocks = (rows + size - 1) / size;
    int index = blockIdx.x * 128 + threadIdx.x;
    int block = index / pieces;
    int piece = index - block * pieces;
    if (block >= blocks)
    {
        return;
    }

    vectors += blockIdx.y * headStride + piece * 8;
    int end = min(rows, (block + 1) * size);
    float sums[8] = { 0, 0, 0, 0, 0, 0, 0, 0 };
#pragma unroll 8
    for (int row = block * size; row < end; row++)
    {
        uint4 read = __ldg(reinterpret_cast<const uint4*>(vectors + row * rowStride));
        unsigned pairs[4] = { read.x, read.y, read.z, read.w };
#pragma unroll
        for (int i = 0; i < 8; i++)
        {
            sums[i] += widen(i % 2 == 0 ? pairs[i / 2] & 0xffff : pairs[i / 2] >> 16);
        }
    }

    long long place = (((long long)blockIdx.y * blocks + block) * pieces + piece) * 8;
    if (divisor == 0)
    {
        float4* target = reinterpret_cast<float4*>(static_cast<float*>(output) + place);
        target[0] = make_float4(sums[0], sums[1], sums[2], sums[3]);
        target[1] = make_float4(sums[4], sums[5], sums[6], sums[7]);
        return;
    }

    unsigned means[4];
#pragma unroll
    for (int i = 0; i < 4; i++)
    {
        means[i] = packBFloat16(sums[2 * i] / divisor, sums[2 * i + 1] / divisor);
    }

    *reinterpret_cast<uint4*>(static_cast<Element*>(output) + place) = make_uint4(means[0], means[1], means[2], means[3]);
}

// output [rows][columns] = left · rightᵀ in float32, tiles of 32 x 32. Grid: column tiles, row tiles. 256 threads, four products each.
extern "C" __global__ void __launch_bounds__(256) multiplyTransposed(
    const float* left, const float* right, float* output, int rows, int columns, int depth, long long leftStride, long long rightStride)
{
    __shared__ float leftTile[32][33];
    __shared__ float rightTile[32][33];
    int rowBase = blockIdx.y * 32;
    int columnBase = blockIdx.x * 32;
    int x = threadIdx.x & 31;
    int y = threadIdx.x >> 5;
    float sums[4] = { 0, 0, 0, 0 };
    for (int d = 0; d < depth; d += 32)
    {
        for (int i = y; i < 32; i += 8)
        {
            leftTile[i][x] = rowBase + i < rows && d + x < depth ? left[(rowBase + i) * leftStride + d + x] : 0;
            rightTile[i][x] = columnBase + i < columns && d + x < depth ? right[(columnBase + i) * rightStride + d + x] : 0;
        }

        __syncthreads();
#pragma unroll
        for (int k = 0; k < 32; k++)
        {
#pragma unroll
            for (int i = 0; i < 4; i++)
            {
                sums[i] += leftTile[y + i * 8][k] * rightTile[x][k];
            }
        }

        __syncthreads();
    }

    for (int i = 0; i < 4; i++)
    {
        int row = rowBase + y + i * 8;
        int column = columnBase + x;
        if (row < rows && column < columns)
        {
            output[(long long)row * columns + column] = sums[i];
        }
    }
}

// scores [heads][rows][columns] of the control Random: block row r of a head draws r + 1 numbers from the stream of its index. states [heads]. One thread a block row.
// Grid: block rows / threads, heads.
extern "C" __global__ void drawBlocks(const RandomState* states, float* scores, int firstRow, int rows, int columns)
{
    int row = blockIdx.x * blockDim.x + threadIdx.x;
    if (row >= rows)
    {
        return;
    }

    RandomState state = streamAt(states[blockIdx.y], firstRow + row);
    scores += ((long long)blockIdx.y * rows + row) * columns;
    for (int column = 0; column <= firstRow + row; column++)
    {
        scores[column] = nextNumber(state);
    }
}

// scores [heads][rows][columns] of the control WindowSink: later blocks above earlier ones. Grid: columns / threads, rows, heads.
extern "C" __global__ void latestBlocks(float* scores, int columns)
{
    int column = blockIdx.x * blockDim.x + threadIdx.x;
    if (column < columns)
    {
        scores[((long long)blockIdx.z * gridDim.y + blockIdx.y) * columns + column] = column;
    }
}
