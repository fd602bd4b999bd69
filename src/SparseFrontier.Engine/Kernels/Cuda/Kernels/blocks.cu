// Block pooling and the scores of block pairs: mean query · mean key, the means and the scores rounded to bfloat16 as the method defines them; and the scores of the
// controls that look at nothing. The scores of OracleTopK are in block_mass.cu.
//
// Constants: TYPE.
#include "ptx.cuh"
#include "random.cuh"

static __device__ __forceinline__ float roundToBFloat16(float value)
{
    unsigned bits = __float_as_uint(value);
    return __uint_as_float((bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000);
}

// sums [heads][blocks][dimension]: of `size` consecutive vectors, divided by `divisor` and rounded where that is not 0. Memory-bound. Grid: blocks, heads.
extern "C" __global__ void sumBlocks(const Element* vectors, float* sums, int rows, int size, int dimension, long long headStride, long long rowStride, float divisor)
{
    vectors += blockIdx.y * headStride;
    int first = blockIdx.x * size;
    int end = min(rows, first + size);
    for (int d = threadIdx.x; d < dimension; d += blockDim.x)
    {
        float sum = 0;
        for (int row = first; row < end; row++)
        {
            sum += widen(vectors[row * rowStride + d]);
        }

        sums[((long long)blockIdx.y * gridDim.x + blockIdx.x) * dimension + d] = divisor > 0 ? roundToBFloat16(sum / divisor) : sum;
    }
}

// output [rows][outputStride] = left · rightᵀ in float32, tiles of 32 x 32; rounded to bfloat16 where asked for; tiles above the diagonal of row + firstRow are left out
// where causal. Several heads at once: each has its own left, groups of them share a right. Grid: column tiles, row tiles, heads. 256 threads, four products each.
extern "C" __global__ void __launch_bounds__(256) multiplyTransposed(
    const float* left, const float* right, float* output, int rows, int columns, int depth, long long leftStride, long long rightStride, long long outputStride,
    int rounded, int causal, int firstRow, long long leftHeadStride, long long rightHeadStride, long long outputHeadStride, int group)
{
    left += blockIdx.z * leftHeadStride;
    right += blockIdx.z / group * rightHeadStride;
    output += blockIdx.z * outputHeadStride;
    __shared__ float leftTile[32][33];
    __shared__ float rightTile[32][33];
    int rowBase = blockIdx.y * 32;
    int columnBase = blockIdx.x * 32;
    if (causal && columnBase > firstRow + rowBase + 31)
    {
        return;
    }

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
            output[row * outputStride + column] = rounded ? roundToBFloat16(sums[i]) : sums[i];
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
