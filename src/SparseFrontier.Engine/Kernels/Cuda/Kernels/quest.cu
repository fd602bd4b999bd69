// Quest at decode steps of many sequences at once, in one launch (two where a sequence has several rows): upper bounds of query · key for every page of every list, Σ_d max(q_d minimum_d, q_d maximum_d), and the
// pages whose bounds are largest. A list is a KV head of a sequence, or a query head where heads do not share pages; see step_pages.cu. Memory-bound.
//
// The larger product is that with the maximum where q is positive, so that with p_d the positive part of q_d and n_d the negative the bound is Σ_d p_d maximum_d + n_d minimum_d,
// and that of all query heads that share a list has the sums of their parts in place of one's: a page costs two multiplications a dimension, however many heads share it.
// A thread block scores 4 x 4 pages for every LANES threads; the block of a head that ends last chooses, so that all heads but the last are chosen from while others are scored.
//
// The choice: keys in the order of the scores as unsigned integers, counted in 2,048 bins between the smallest and the largest of a list (which its scores fill, other than
// those between 0 and 2^32: they differ by a small factor), from the top until the bin that holds the last page; then the same within that bin, until all of it is taken or
// its keys are equal. Ties go to the lower page, counts are integers: the same choice from the same scores as by select.cu and the processor.
//
// Cost: 4 dimension bytes a page and head, read once; 8 bytes a page and list written and read.
//
// Constants: TYPE, LANES: threads of a page, 8 dimensions each; 8, 16 or 32.
#include "ptx.cuh"
#include "step_caches.cuh"

static constexpr int Threads = 512;
static constexpr int Warps = Threads / 32;
static constexpr int PagesAtOnce = Threads / LANES;
static constexpr int Unroll = 4;
static constexpr int Passes = 4;
static constexpr int PagesOfBlock = PagesAtOnce * Unroll * Passes;
static constexpr int BinBits = 11;
static constexpr int Bins = 1 << BinBits;

// Lists of up to so many pages are read from memory once.
static constexpr int MostKeys = 8192;

static __device__ __forceinline__ uint4 loadOnce(const Element* source)
{
    uint4 r;
    asm volatile("ld.global.nc.L1::no_allocate.v4.b32 {%0, %1, %2, %3}, [%4];" : "=r"(r.x), "=r"(r.y), "=r"(r.z), "=r"(r.w) : "l"(source));
    return r;
}

// The order of floats as unsigned integers: -0 equals 0, NaN is below all.
static __device__ __forceinline__ unsigned sortKey(float score)
{
    unsigned bits = __float_as_uint(score + 0.0f);
    return score != score ? 0 : bits ^ (static_cast<unsigned>(static_cast<int>(bits) >> 31) | 0x80000000u);
}

// Bounds of the page that a head's last token completes, if it does. One thread two elements.
static __device__ void extendBoundsOf(const PagedHead& head, int size, int dimension)
{
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
            unsigned pair = *reinterpret_cast<const unsigned*>((token < head.split ? head.keys : head.tailKeys) + (long long)token * dimension + d);
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

// For steps with several rows of a sequence, before questPages: what a row completes is among the pages that the rows after it choose from. Grid: heads.
extern "C" __global__ void extendBounds(const PagedHead* heads, int size, int dimension)
{
    extendBoundsOf(heads[blockIdx.x], size, dimension);
}

// The `wanted` largest of `count` scores, ascending; 0 < wanted < count. keys [MostKeys] and histogram [Bins] in shared memory, which all threads are done with.
static __device__ void chooseLargest(const float* scores, int count, int wanted, int* chosen, unsigned* keys, int* histogram)
{
    __shared__ unsigned extremes[Warps][2];
    __shared__ int decision[4];     // three and one that is read with them
    __shared__ int warpCounts[Warps][2];
    int lane = threadIdx.x & 31;
    int warp = threadIdx.x >> 5;
    bool kept = count <= MostKeys;
    unsigned low = 0xffffffffu;
    unsigned high = 0;
#pragma unroll 8
    for (int i = threadIdx.x; i < count; i += Threads)
    {
        unsigned key = sortKey(__ldcg(scores + i));
        low = min(low, key);
        high = max(high, key);
        if (kept)
        {
            keys[i] = key;
        }
    }

#pragma unroll
    for (int distance = 16; distance > 0; distance >>= 1)
    {
        low = min(low, __shfl_xor_sync(AllLanes, low, distance));
        high = max(high, __shfl_xor_sync(AllLanes, high, distance));
    }

    if (lane == 0)
    {
        extremes[warp][0] = low;
        extremes[warp][1] = high;
    }

    __syncthreads();
    for (int w = 0; w < Warps; w++)
    {
        low = min(low, extremes[w][0]);
        high = max(high, extremes[w][1]);
    }

    // Keys from low to low + span are still in question, of which `left` are taken; those above are.
    unsigned span = high - low;
    int shift = max(0, 32 - __clz(span) - BinBits);
    int left = wanted;
    while (true)
    {
        for (int i = threadIdx.x; i < Bins; i += Threads)
        {
            histogram[i] = 0;
        }

        __syncthreads();
        for (int i = threadIdx.x; i < count; i += Threads)
        {
            unsigned offset = (kept ? keys[i] : sortKey(__ldcg(scores + i))) - low;
            if (offset <= span)
            {
                atomicAdd(&histogram[offset >> shift], 1);
            }
        }

        __syncthreads();

        // From the highest bin down, so many a thread.
        constexpr int Own = Bins / Threads;
        int top = Bins - 1 - static_cast<int>(threadIdx.x) * Own;
        int bins[Own];
        int sum = 0;
#pragma unroll
        for (int b = 0; b < Own; b++)
        {
            bins[b] = histogram[top - b];
            sum += bins[b];
        }

        int before = sum;
#pragma unroll
        for (int distance = 1; distance < 32; distance <<= 1)
        {
            int other = __shfl_up_sync(AllLanes, before, distance);
            before += lane >= distance ? other : 0;
        }

        if (lane == 31)
        {
            warpCounts[warp][0] = before;
        }

        before -= sum;
        __syncthreads();
        for (int w = 0; w < warp; w++)
        {
            before += warpCounts[w][0];
        }

        if (before < left && left <= before + sum)
        {
#pragma unroll
            for (int b = 0; b < Own; b++)
            {
                if (before < left && left <= before + bins[b])
                {
                    decision[0] = top - b;
                    decision[1] = left - before;
                    decision[2] = bins[b];
                }

                before += bins[b];
            }
        }

        __syncthreads();
        low += static_cast<unsigned>(decision[0]) << shift;
        left = decision[1];
        span = (1u << shift) - 1;
        if (shift == 0 || decision[2] == left)
        {
            break;
        }

        shift = max(0, shift - BinBits);
    }

    // A warp takes consecutive pages: how many lie above, and how many at the threshold, then where each goes.
    int each = (count + Threads - 1) / Threads * 32;
    int begin = warp * each;
    int end = min(count, begin + each);
    int aboves = 0;
    int equals = 0;
    for (int i = begin + lane; i < end; i += 32)
    {
        unsigned key = kept ? keys[i] : sortKey(__ldcg(scores + i));
        aboves += key >= low && key - low > span;
        equals += key - low <= span;
    }

#pragma unroll
    for (int distance = 16; distance > 0; distance >>= 1)
    {
        aboves += __shfl_xor_sync(AllLanes, aboves, distance);
        equals += __shfl_xor_sync(AllLanes, equals, distance);
    }

    if (lane == 0)
    {
        warpCounts[warp][0] = aboves;
        warpCounts[warp][1] = equals;
    }

    __syncthreads();
    aboves = equals = 0;
    for (int w = 0; w < warp; w++)
    {
        aboves += warpCounts[w][0];
        equals += warpCounts[w][1];
    }

    unsigned lower = (1u << lane) - 1;
    for (int first = begin; first < end; first += 32)
    {
        int i = first + lane;
        unsigned key = i >= end ? 0 : kept ? keys[i] : sortKey(__ldcg(scores + i));
        bool above = i < end && key >= low && key - low > span;
        bool equal = i < end && key - low <= span;
        unsigned allAbove = __ballot_sync(AllLanes, above);
        unsigned allEqual = __ballot_sync(AllLanes, equal);
        int ties = equals + __popc(allEqual & lower);
        if (above || (equal && ties < left))
        {
            chosen[aboves + __popc(allAbove & lower) + min(ties, left)] = i;
        }

        aboves += __popc(allAbove);
        equals += __popc(allEqual);
    }
}

// The pages of each list, ascending, and last the current one: pages [lists][width], tokens [lists], offsets [lists] where each list begins; ready [lists]:
// 1 where a list is complete, for attention that begins before this kernel ends. The pages before the current one
// are chosen from where the budget does not hold them. scores [lists][stride]; arrivals [heads]: 0 before and after. extends: whether to write the bounds of pages that are
// completed. times: null, or when this kernel began and, 0 before, when it ended. Grid: groups of PagesOfBlock pages, heads. Shared memory: the greater of 8 LANES (2 listsOfHead) floats and MostKeys + Bins ints.
extern "C" __global__ void __launch_bounds__(Threads, 2) questPages(
    const Element* queries, const PagedHead* heads, float* scores, int* pages, int* tokens, long long* offsets, int* ready, int* arrivals, int size, int group, int listsOfHead,
    int dimension, int stride, int width, int extends, unsigned long long* times)
{
    extern __shared__ __align__(16) float parts[];  // [listsOfHead][positive, negative][8 LANES], then keys and histogram
    __shared__ int isLast;
    int head = blockIdx.y;
    const PagedHead paged = heads[head];
    int current = (paged.length - 1) / size;
    long long firstList = (long long)head * listsOfHead;
    if (times && (blockIdx.x | blockIdx.y | threadIdx.x) == 0)
    {
        times[0] = nanoseconds();
    }

    if (blockIdx.x == 0)
    {
        // It is the current page, which no list chooses: nothing waits for its bounds.
        if (extends)
        {
            extendBoundsOf(paged, size, dimension);
        }

        for (int v = threadIdx.x; v < listsOfHead; v += Threads)
        {
            offsets[firstList + v] = (firstList + v) * width;
            tokens[firstList + v] = min(current, paged.budget) * size + paged.length - current * size;
            pages[(firstList + v) * width + min(current, paged.budget)] = current;
        }
    }

    // No list of the kernel after this one is ready where it begins.
    if (blockIdx.x == 0 && threadIdx.x < listsOfHead)
    {
        ready[firstList + threadIdx.x] = 0;
    }

    __threadfence();
    __syncthreads();
    startNextKernel();
    bool chooses = current > paged.budget && paged.budget > 0;
    if (blockIdx.x * PagesOfBlock >= current || !chooses)
    {
        if (blockIdx.x > 0 || chooses)
        {
            return;
        }

        for (int v = 0; v < listsOfHead && current <= paged.budget; v++)
        {
            for (int i = threadIdx.x; i < current; i += Threads)
            {
                pages[(firstList + v) * width + i] = i;
            }
        }
    }
    else
    {
        int lane = threadIdx.x % LANES;
        int firstPage = blockIdx.x * PagesOfBlock + threadIdx.x / LANES;
        int queriesOfList = group / listsOfHead;
        for (int pass = 0; pass < Passes; pass++)
        {
            uint4 low[Unroll];
            uint4 high[Unroll];
#pragma unroll
            for (int u = 0; u < Unroll; u++)
            {
                int page = min(firstPage + (pass * Unroll + u) * PagesAtOnce, current - 1);
                const Element* minima = (page < paged.promptPages ? paged.bounds : paged.tailBounds) + (long long)page * 2 * dimension;

                // Where a page has fewer dimensions than its threads could hold, the parts of the others are 0.
                int column = min(lane * 8, dimension - 8);
                low[u] = loadOnce(minima + column);
                high[u] = loadOnce(minima + dimension + column);
            }

            if (pass == 0)
            {
                for (int i = threadIdx.x; i < listsOfHead * LANES * 8; i += Threads)
                {
                    int column = i % (LANES * 8);
                    const Element* own = queries + (long long)(head * group + i / (LANES * 8) * queriesOfList) * dimension + column;
                    float positive = 0;
                    float negative = 0;
                    for (int h = 0; h < queriesOfList && column < dimension; h++)
                    {
                        float q = widen(own[h * dimension]);
                        positive += fmaxf(q, 0.0f);
                        negative += fminf(q, 0.0f);
                    }

                    float* target = parts + i / (LANES * 8) * (LANES * 16) + column;
                    target[0] = positive;
                    target[LANES * 8] = negative;
                }

                __syncthreads();
            }

            for (int v = 0; v < listsOfHead; v++)
            {
                alignas(16) float positive[8];
                alignas(16) float negative[8];
#pragma unroll
                for (int i = 0; i < 8; i += 4)
                {
                    const float* source = parts + v * (LANES * 16) + lane * 8 + i;
                    *reinterpret_cast<float4*>(positive + i) = *reinterpret_cast<const float4*>(source);
                    *reinterpret_cast<float4*>(negative + i) = *reinterpret_cast<const float4*>(source + LANES * 8);
                }

#pragma unroll
                for (int u = 0; u < Unroll; u++)
                {
                    const unsigned lows[4] = { low[u].x, low[u].y, low[u].z, low[u].w };
                    const unsigned highs[4] = { high[u].x, high[u].y, high[u].z, high[u].w };
                    float score = 0;
#pragma unroll
                    for (int i = 0; i < 8; i++)
                    {
                        score = fmaf(positive[i], widen(i & 1 ? highs[i >> 1] >> 16 : highs[i >> 1] & 0xffff), score);
                        score = fmaf(negative[i], widen(i & 1 ? lows[i >> 1] >> 16 : lows[i >> 1] & 0xffff), score);
                    }

#pragma unroll
                    for (int distance = LANES / 2; distance > 0; distance >>= 1)
                    {
                        score += __shfl_xor_sync(AllLanes, score, distance);
                    }

                    int page = firstPage + (pass * Unroll + u) * PagesAtOnce;
                    if (lane == 0 && page < current)
                    {
                        scores[(firstList + v) * stride + page] = score;
                    }
                }
            }
        }

        __threadfence();
        __syncthreads();
        if (threadIdx.x == 0)
        {
            isLast = atomicAdd(arrivals + head, 1) == (current + PagesOfBlock - 1) / PagesOfBlock - 1;
        }

        __syncthreads();
        if (!isLast)
        {
            return;
        }

        __threadfence();
        unsigned* keys = reinterpret_cast<unsigned*>(parts);
        for (int v = 0; v < listsOfHead; v++)
        {
            chooseLargest(
                scores + (firstList + v) * stride, current, paged.budget, pages + (firstList + v) * width, keys, reinterpret_cast<int*>(keys + MostKeys));
            __syncthreads();
        }

        if (threadIdx.x == 0)
        {
            arrivals[head] = 0;
        }
    }

    if (times && threadIdx.x == 0)
    {
        atomicMax(times + 1, nanoseconds());
    }

    // The last that this kernel does for a head: what comes after attention may rely on all of it.
    __threadfence();
    __syncthreads();
    if (threadIdx.x < listsOfHead)
    {
        publish(ready + firstList + threadIdx.x);
    }
}
