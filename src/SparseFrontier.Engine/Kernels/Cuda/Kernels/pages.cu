// Quest's index: smallest and largest element of the keys of each page, and the largest score that a key within these bounds could have.
// Memory-bound: one pass over the keys, or over the bounds for all query heads of a group at once.
//
// Constants: TYPE.
#include "ptx.cuh"

// bounds [heads][pages][2][dimension]: minima, then maxima of `size` keys each; the last page may have fewer. Grid: pages, heads; one thread two elements.
extern "C" __global__ void pageBounds(const Element* keys, Element* bounds, int tokens, int size, int dimension, long long headStride, int rowStride)
{
    int pages = gridDim.x;
    int first = blockIdx.x * size;
    int end = min(tokens, first + size);
    keys += blockIdx.y * headStride;
    bounds += ((long long)blockIdx.y * pages + blockIdx.x) * 2 * dimension;
    for (int d = threadIdx.x * 2; d < dimension; d += blockDim.x * 2)
    {
        float low[2] = { -MinusInfinity, -MinusInfinity };
        float high[2] = { MinusInfinity, MinusInfinity };
        for (int row = first; row < end; row++)
        {
            unsigned pair = *reinterpret_cast<const unsigned*>(keys + (long long)row * rowStride + d);
            float a = widen(pair & 0xffff);
            float b = widen(pair >> 16);
            low[0] = fminf(low[0], a);
            high[0] = fmaxf(high[0], a);
            low[1] = fminf(low[1], b);
            high[1] = fmaxf(high[1], b);
        }

        // Exact: they are elements of the keys.
        *reinterpret_cast<unsigned*>(bounds + d) = pack(low[0], low[1]);
        *reinterpret_cast<unsigned*>(bounds + dimension + d) = pack(high[0], high[1]);
    }
}

// scores [kv heads or query heads][stride]: Σ_d max(q_d minimum_d, q_d maximum_d), summed over the group's query heads where they share pages.
// Sixteen lanes a page. Shared memory: group x dimension floats.
extern "C" __global__ void __launch_bounds__(128) pageScores(
    const Element* queries, const Element* bounds, float* scores, int pages, int group, int dimension, long long boundsHeadStride, int stride, int shared)
{
    extern __shared__ __align__(16) float query[];
    int head = blockIdx.y;
    for (int i = threadIdx.x; i < group * dimension; i += 128)
    {
        query[i] = widen(queries[(long long)head * group * dimension + i]);
    }

    __syncthreads();
    int part = threadIdx.x & 15;
    int page = blockIdx.x * 8 + (threadIdx.x >> 4);
    const Element* minima = bounds + head * boundsHeadStride + (long long)min(page, pages - 1) * 2 * dimension;
    float sum = 0;
    for (int h = 0; h < group; h++)
    {
        float score = 0;
        for (int d = part * 8; d < dimension; d += 128)
        {
            uint4 low = __ldg(reinterpret_cast<const uint4*>(minima + d));
            uint4 high = __ldg(reinterpret_cast<const uint4*>(minima + dimension + d));
            const float4 first = *reinterpret_cast<const float4*>(query + h * dimension + d);
            const float4 second = *reinterpret_cast<const float4*>(query + h * dimension + d + 4);
            const float part8[8] = { first.x, first.y, first.z, first.w, second.x, second.y, second.z, second.w };
            const unsigned lows[4] = { low.x, low.y, low.z, low.w };
            const unsigned highs[4] = { high.x, high.y, high.z, high.w };
#pragma unroll
            for (int i = 0; i < 8; i++)
            {
                // The larger product is that with the upper bound where q is positive.
                float q = part8[i];
                unsigned word = q >= 0 ? highs[i >> 1] : lows[i >> 1];
                score = fmaf(q, widen(i & 1 ? word >> 16 : word & 0xffff), score);
            }
        }

#pragma unroll
        for (int distance = 8; distance > 0; distance >>= 1)
        {
            score += __shfl_xor_sync(AllLanes, score, distance);
        }

        sum += score;
        if (!shared && part == 0 && page < pages)
        {
            scores[((long long)head * group + h) * stride + page] = score;
        }
    }

    if (shared && part == 0 && page < pages)
    {
        scores[(long long)head * stride + page] = sum;
    }
}
