// What methods that choose pages at every step have in common, and the scores of the controls: for many sequences at once, from what lies in the device's memory, so that
// the launches serve every step of the same shape. A list is a KV head of a sequence, or a query head where heads do not share pages. A page may be a single token.
//
// Constants: TYPE.
#include "ptx.cuh"
#include "random.cuh"
#include "step_caches.cuh"

static constexpr int Threads = 512;
static constexpr int Warps = Threads / 32;

// What each list of pages needs for the selection: candidates (pages before the current one), how many it keeps, and after it where the list begins and its tokens.
// times: null, or when this kernel began and, 0 before, when finishPages ended. One thread a list.
extern "C" __global__ void pageCounts(
    const PagedHead* heads, int lists, int listsOfHead, int size, int width, int* candidates, int* wanted, int* tokens, long long* offsets, unsigned long long* times)
{
    int list = blockIdx.x * blockDim.x + threadIdx.x;
    if (times && list == 0)
    {
        times[0] = nanoseconds();
    }

    if (list < lists)
    {
        const PagedHead head = heads[list / listsOfHead];
        int pages = (head.length - 1) / size;
        candidates[list] = pages;
        wanted[list] = min(pages, head.budget);
        offsets[list] = (long long)list * width;
        tokens[list] = min(pages, head.budget) * size + head.length - pages * size;
    }
}

// Appends the current page to each list, and writes all pages where the budget holds them. pages [lists][width]. Grid: lists.
extern "C" __global__ void finishPages(const PagedHead* heads, int listsOfHead, int size, int* pages, int width, unsigned long long* times)
{
    const PagedHead head = heads[blockIdx.x / listsOfHead];
    int current = (head.length - 1) / size;
    pages += (long long)blockIdx.x * width;
    if (current <= head.budget)
    {
        for (int i = threadIdx.x; i <= current; i += blockDim.x)
        {
            pages[i] = i;
        }
    }
    else if (threadIdx.x == 0)
    {
        pages[head.budget] = current;
    }

    if (times && threadIdx.x == 0)
    {
        atomicMax(times + 1, nanoseconds());
    }
}

// products [heads][group][stride]: query · key of every token, sums over sixteen lanes. Reads each key once for all queries of its head. Grid: groups of 8 tokens, heads.
// Shared memory: group x dimension floats.
extern "C" __global__ void __launch_bounds__(128) tokenProducts(
    const Element* queries, const PagedHead* heads, float* products, int size, int group, int dimension, int stride)
{
    extern __shared__ __align__(16) float query[];
    int head = blockIdx.y;
    const PagedHead cache = heads[head];
    if (blockIdx.x * 8 >= cache.length || (cache.length - 1) / size <= cache.budget)
    {
        return;
    }

    for (int i = threadIdx.x; i < group * dimension; i += 128)
    {
        query[i] = widen(queries[(long long)head * group * dimension + i]);
    }

    __syncthreads();
    int part = threadIdx.x & 15;
    int token = blockIdx.x * 8 + (threadIdx.x >> 4);
    int source = min(token, cache.length - 1);
    const Element* key = (source < cache.split ? cache.keys : cache.tailKeys) + (long long)source * dimension;
    for (int h = 0; h < group; h++)
    {
        float sum = 0;
        for (int d = part * 8; d < dimension; d += 128)
        {
            // Not by the read-only path: the kernel before wrote the last of them.
            uint4 eight = *reinterpret_cast<const uint4*>(key + d);
            const unsigned words[4] = { eight.x, eight.y, eight.z, eight.w };
#pragma unroll
            for (int i = 0; i < 8; i++)
            {
                sum = fmaf(query[h * dimension + d + i], widen(i & 1 ? words[i >> 1] >> 16 : words[i >> 1] & 0xffff), sum);
            }
        }

#pragma unroll
        for (int distance = 8; distance > 0; distance >>= 1)
        {
            sum += __shfl_xor_sync(AllLanes, sum, distance);
        }

        if (part == 0 && token < cache.length)
        {
            products[((long long)head * group + h) * stride + token] = sum;
        }
    }
}

// scores [lists][width]: exact softmax attention to the pages before the current one, summed over the list's queries, in the order of the processor's OracleSelector.
// products as tokenProducts writes them. Grid: lists. Shared memory: 12 bytes a query of a head.
extern "C" __global__ void __launch_bounds__(Threads) pageAttention(
    const PagedHead* heads, const float* products, float* scores, int size, int group, int listsOfHead, int stride, int width, float scale)
{
    extern __shared__ __align__(16) double totals[];
    __shared__ double parts[Warps];
    float* largest = reinterpret_cast<float*>(totals + group);
    const PagedHead cache = heads[blockIdx.x / listsOfHead];
    int pages = (cache.length - 1) / size;
    if (pages <= cache.budget)
    {
        return;
    }

    int lane = threadIdx.x & 31;
    int warp = threadIdx.x >> 5;
    int queries = group / listsOfHead;
    products += (long long)blockIdx.x * queries * stride;
    for (int q = 0; q < queries; q++)
    {
        const float* own = products + (long long)q * stride;
        float most = MinusInfinity;
        for (int t = threadIdx.x; t < cache.length; t += Threads)
        {
            most = fmaxf(most, own[t]);
        }

#pragma unroll
        for (int distance = 16; distance > 0; distance >>= 1)
        {
            most = fmaxf(most, __shfl_xor_sync(AllLanes, most, distance));
        }

        if (lane == 0)
        {
            parts[warp] = most;
        }

        __syncthreads();
        for (int w = 0; w < Warps; w++)
        {
            most = fmaxf(most, static_cast<float>(parts[w]));
        }

        __syncthreads();
        double total = 0;
        for (int t = threadIdx.x; t < cache.length; t += Threads)
        {
            total += expf(scale * (own[t] - most));
        }

#pragma unroll
        for (int distance = 16; distance > 0; distance >>= 1)
        {
            total += __shfl_xor_sync(AllLanes, total, distance);
        }

        if (lane == 0)
        {
            parts[warp] = total;
        }

        __syncthreads();
        if (threadIdx.x == 0)
        {
            total = 0;
            for (int w = 0; w < Warps; w++)
            {
                total += parts[w];
            }

            totals[q] = total;
            largest[q] = most;
        }

        __syncthreads();
    }

    for (int page = threadIdx.x; page < pages; page += Threads)
    {
        double sum = 0;
        for (int t = page * size; t < (page + 1) * size; t++)
        {
            float mass = 0;
            for (int q = 0; q < queries; q++)
            {
                mass += static_cast<float>(expf(scale * (products[(long long)q * stride + t] - largest[q])) / totals[q]);
            }

            sum += mass;
        }

        scores[(long long)blockIdx.x * width + page] = static_cast<float>(sum);
    }
}

// scores [lists][width]: the first page above all, then the latest. Grid: groups of 128 pages, lists.
extern "C" __global__ void latestPages(const PagedHead* heads, float* scores, int listsOfHead, int size, int width)
{
    int page = blockIdx.x * blockDim.x + threadIdx.x;
    if (page < (heads[blockIdx.y / listsOfHead].length - 1) / size)
    {
        scores[(long long)blockIdx.y * width + page] = page == 0 ? -MinusInfinity : page;
    }
}

// scores [lists][width]: the numbers that RandomSource draws (xoshiro256**), one list a thread because each follows from the one before. states [rows][statesOfRow][4]:
// of each list when it begins.
extern "C" __global__ void drawnPages(
    const PagedHead* heads, const unsigned long long* states, float* scores, int lists, int listsOfHead, int listsOfRow, int statesOfRow, int size, int width)
{
    int list = blockIdx.x * blockDim.x + threadIdx.x;
    if (list >= lists)
    {
        return;
    }

    states += ((long long)(list / listsOfRow) * statesOfRow + list % listsOfRow) * 4;
    RandomState state = { states[0], states[1], states[2], states[3] };
    int pages = (heads[list / listsOfHead].length - 1) / size;
    for (int page = 0; page < pages; page++)
    {
        scores[(long long)list * width + page] = nextNumber(state);
    }
}
