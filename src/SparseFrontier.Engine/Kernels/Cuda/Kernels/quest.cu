// Quest at decode steps of many sequences at once: bounds of pages that a step completes, and upper bounds of query · key for every page of every list. A list is a KV
// head of a sequence, or a query head where heads do not share pages; see step_pages.cu. Memory-bound.
//
// Constants: TYPE.
#include "ptx.cuh"
#include "step_caches.cuh"

// Bounds of the page that each head's last token completes, if it does. Grid: heads (of all rows); one thread two elements.
extern "C" __global__ void extendBounds(const PagedHead* heads, int size, int dimension, int stride)
{
    const PagedHead head = heads[blockIdx.x];
    if (head.length % size != 0 || head.length / size <= head.promptPages)
    {
        return;
    }

    int page = head.length / size - 1;
    for (int d = threadIdx.x * 2; d < dimension; d += blockDim.x * 2)
    {
        float low[2] = { -MinusInfinity, -MinusInfinity };
        float high[2] = { MinusInfinity, MinusInfinity };
        for (int token = page * size; token < head.length; token++)
        {
            unsigned pair = *reinterpret_cast<const unsigned*>((token < head.split ? head.keys : head.tailKeys) + (long long)token * stride + d);
            float a = widen(pair & 0xffff);
            float b = widen(pair >> 16);
            low[0] = fminf(low[0], a);
            high[0] = fmaxf(high[0], a);
            low[1] = fminf(low[1], b);
            high[1] = fmaxf(high[1], b);
        }

        Element* bounds = head.tailBounds + (long long)page * 2 * dimension;
        *reinterpret_cast<unsigned*>(bounds + d) = pack(low[0], low[1]);
        *reinterpret_cast<unsigned*>(bounds + dimension + d) = pack(high[0], high[1]);
    }
}

// scores [heads or queries][stride]: Σ_d max(q_d minimum_d, q_d maximum_d) for the pages before the current one, summed over the group's query heads where they share.
// As pageScores of pages.cu, whose sums these are bit for bit. Sixteen lanes a page. Grid: groups of 8 pages, heads. Shared memory: group x dimension floats.
extern "C" __global__ void __launch_bounds__(128) questScores(
    const Element* queries, const PagedHead* heads, float* scores, int size, int group, int dimension, int stride, int shared)
{
    extern __shared__ __align__(16) float query[];
    int head = blockIdx.y;
    const PagedHead paged = heads[head];
    int pages = (paged.length - 1) / size;
    if (blockIdx.x * 8 >= pages || pages <= paged.budget)
    {
        return;
    }

    for (int i = threadIdx.x; i < group * dimension; i += 128)
    {
        query[i] = widen(queries[(long long)head * group * dimension + i]);
    }

    __syncthreads();
    int part = threadIdx.x & 15;
    int page = blockIdx.x * 8 + (threadIdx.x >> 4);
    int source = min(page, pages - 1);
    const Element* minima = (source < paged.promptPages ? paged.bounds : paged.tailBounds) + (long long)source * 2 * dimension;
    float sum = 0;
    for (int h = 0; h < group; h++)
    {
        float score = 0;
        for (int d = part * 8; d < dimension; d += 128)
        {
            // Not by the read-only path: the step before wrote some of them.
            uint4 low = *reinterpret_cast<const uint4*>(minima + d);
            uint4 high = *reinterpret_cast<const uint4*>(minima + dimension + d);
            const unsigned lows[4] = { low.x, low.y, low.z, low.w };
            const unsigned highs[4] = { high.x, high.y, high.z, high.w };
#pragma unroll
            for (int i = 0; i < 8; i++)
            {
                float q = query[h * dimension + d + i];
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
