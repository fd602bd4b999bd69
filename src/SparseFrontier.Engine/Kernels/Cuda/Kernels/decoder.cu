// What a decoder does between matrix products and attention: embeddings, norms, rotary embedding, the gate, biases, and keys and values into the cache. Memory-bound.
//
// The residual stream is float32, everything between two additions to it is of the element type; sums are in float32 and in an order that depends on the width alone,
// so that a row has the same bits whatever rows are beside it.
//
// Constants: TYPE.
#include "ptx.cuh"

static __device__ __forceinline__ Element narrowed(float value)
{
    return static_cast<Element>(pack(value, 0) & 0xffff);
}

static __device__ __forceinline__ float warpSum(float x)
{
#pragma unroll
    for (int distance = 16; distance > 0; distance >>= 1)
    {
        x += __shfl_xor_sync(AllLanes, x, distance);
    }

    return x;
}

// Sum over the 256 threads of a block, the same in all of them.
static __device__ __forceinline__ float blockSum(float x)
{
    __shared__ float sums[8];
    x = warpSum(x);
    if ((threadIdx.x & 31) == 0)
    {
        sums[threadIdx.x >> 5] = x;
    }

    __syncthreads();
    float sum = 0;
#pragma unroll
    for (int w = 0; w < 8; w++)
    {
        sum += sums[w];
    }

    return sum;
}

// residual [rows][width] = scale · table[token]. One block a row.
extern "C" __global__ void embed(const Element* table, const int* tokens, float* residual, int width, float scale)
{
    const Element* row = table + (long long)tokens[blockIdx.x] * width;
    residual += (long long)blockIdx.x * width;
    for (int i = threadIdx.x; i < width; i += blockDim.x)
    {
        residual[i] = scale * widen(row[i]);
    }
}

// output [rows][width] = residual / √(mean(residual²) + epsilon) · weight; width is a multiple of 8. One block of 256 threads a row.
extern "C" __global__ void __launch_bounds__(256) normalize(const float* residual, const float* weight, Element* output, int width, float epsilon)
{
    const float4* row = reinterpret_cast<const float4*>(residual + (long long)blockIdx.x * width);
    const float4* weights = reinterpret_cast<const float4*>(weight);
    uint2* target = reinterpret_cast<uint2*>(output + (long long)blockIdx.x * width);
    float sum = 0;
#pragma unroll 4
    for (int i = threadIdx.x; i < width / 4; i += 256)
    {
        float4 x = row[i];
        sum += (x.x * x.x + x.y * x.y) + (x.z * x.z + x.w * x.w);
    }

    float factor = 1 / sqrtf(blockSum(sum) / width + epsilon);
#pragma unroll 4
    for (int i = threadIdx.x; i < width / 4; i += 256)
    {
        float4 x = row[i];
        float4 w = weights[i];
        target[i] = make_uint2(pack(x.x * factor * w.x, x.y * factor * w.y), pack(x.z * factor * w.z, x.w * factor * w.w));
    }
}

// residual += branch, or its norm where there is a weight. One block of 256 threads a row; bias may be null.
extern "C" __global__ void __launch_bounds__(256) addBranch(const float* branch, const float* bias, const float* weight, float* residual, int width, float epsilon)
{
    branch += (long long)blockIdx.x * width;
    residual += (long long)blockIdx.x * width;
    float factor = 1;
    if (weight)
    {
        float sum = 0;
        for (int i = threadIdx.x; i < width; i += 256)
        {
            float x = branch[i] + (bias ? bias[i] : 0);
            sum += x * x;
        }

        factor = 1 / sqrtf(blockSum(sum) / width + epsilon);
    }

    for (int i = threadIdx.x; i < width; i += 256)
    {
        float x = branch[i] + (bias ? bias[i] : 0);
        residual[i] += weight ? x * factor * weight[i] : x;
    }
}

// Norm of each vector [vectors][dimension] in place. One warp a vector.
extern "C" __global__ void normalizeHeads(Element* vectors, const float* weight, long long count, int dimension, float epsilon)
{
    long long vector = (blockIdx.x * (long long)blockDim.x + threadIdx.x) >> 5;
    int lane = threadIdx.x & 31;
    if (vector >= count)
    {
        return;
    }

    vectors += vector * dimension;
    float sum = 0;
    for (int i = lane; i < dimension; i += 32)
    {
        float x = widen(vectors[i]);
        sum += x * x;
    }

    float factor = 1 / sqrtf(warpSum(sum) / dimension + epsilon);
    for (int i = lane; i < dimension; i += 32)
    {
        vectors[i] = narrowed(widen(vectors[i]) * factor * weight[i]);
    }
}

// Rotary embedding of [rows][heads][dimension] in place, element i with i + dimension / 2; cosines, sines: [rows][dimension / 2], dimension elements from row to row.
extern "C" __global__ void rotate(Element* vectors, const float* cosines, const float* sines, long long pairs, int heads, int dimension)
{
    int half = dimension / 2;
    for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < pairs; i += (long long)gridDim.x * blockDim.x)
    {
        long long vector = i / half;
        int element = static_cast<int>(i % half);
        long long angle = vector / heads * dimension + element;
        Element* first = vectors + vector * dimension + element;
        float a = widen(first[0]);
        float b = widen(first[half]);
        float cosine = cosines[angle];
        float sine = sines[angle];
        first[0] = narrowed(a * cosine - b * sine);
        first[half] = narrowed(b * cosine + a * sine);
    }
}

// rows of `width` += bias.
extern "C" __global__ void addBias(Element* rows, const float* bias, long long count, int width)
{
    for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < count; i += (long long)gridDim.x * blockDim.x)
    {
        rows[i] = narrowed(widen(rows[i]) + bias[i % width]);
    }
}

static __device__ __forceinline__ float activation(float x, int gelu)
{
    if (gelu)
    {
        float t = 0.7978845608028654f * (x + 0.044715f * x * x * x);
        return 0.5f * x * (1 + tanhf(t));
    }

    return x / (1 + expf(-x));
}

// gate = activation(gate) · up, eight elements a thread; count is a multiple of 8.
extern "C" __global__ void gateRows(Element* gate, const Element* up, long long count, int gelu)
{
    for (long long i = (blockIdx.x * (long long)blockDim.x + threadIdx.x) * 8; i < count; i += (long long)gridDim.x * blockDim.x * 8)
    {
        uint4 g = *reinterpret_cast<const uint4*>(gate + i);
        uint4 u = *reinterpret_cast<const uint4*>(up + i);
        unsigned gates[4] = { g.x, g.y, g.z, g.w };
        const unsigned ups[4] = { u.x, u.y, u.z, u.w };
#pragma unroll
        for (int k = 0; k < 4; k++)
        {
            gates[k] = pack(
                activation(widen(gates[k] & 0xffff), gelu) * widen(ups[k] & 0xffff),
                activation(widen(gates[k] >> 16), gelu) * widen(ups[k] >> 16));
        }

        *reinterpret_cast<uint4*>(gate + i) = make_uint4(gates[0], gates[1], gates[2], gates[3]);
    }
}

// Keys and values of consecutive tokens, [rows][heads][dimension], into [heads][...] by head. count = rows x heads x dimension.
extern "C" __global__ void storeRows(
    const Element* keys, const Element* values, Element* keyCache, Element* valueCache, long long count, int heads, int dimension, int padded, long long headStride, int firstRow)
{
    for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < count; i += (long long)gridDim.x * blockDim.x)
    {
        long long vector = i / dimension;
        long long target = vector % heads * headStride + (firstRow + vector / heads) * padded + i % dimension;
        keyCache[target] = keys[i];
        valueCache[target] = values[i];
    }
}

// Rows of `width` float32 elements to rows of the element type, unpadded (weights of checkpoints in float32).
extern "C" __global__ void narrowElements(const float* source, Element* target, long long count)
{
    for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < count; i += (long long)gridDim.x * blockDim.x)
    {
        target[i] = narrowed(source[i]);
    }
}

// Uniform numbers in ±range from a counter (a checkpoint without weights, to measure with): the same for the same seed on every card.
extern "C" __global__ void fillRandom(Element* target, long long count, unsigned long long seed, float range)
{
    for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < count; i += (long long)gridDim.x * blockDim.x)
    {
        unsigned long long z = seed + static_cast<unsigned long long>(i) * 0x9e3779b97f4a7c15ull;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
        z ^= z >> 31;
        target[i] = narrowed(range * (static_cast<float>(z >> 40) * 0x1p-23f - 1));
    }
}
