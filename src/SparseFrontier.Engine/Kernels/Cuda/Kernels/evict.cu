// Eviction from a prompt's cache: from chosen tokens to smaller caches. Memory-bound.
//
// Constants: TYPE.
#include "ptx.cuh"

// flags [rows][columns] = 1 and scores = -∞ at the chosen positions, counts [rows] + 1 for each. indices [lists][width], -1 where there are fewer; a position is
// list x stride + index (stride 0 where indices count over all rows). Grid: lists.
extern "C" __global__ void markChosen(const int* indices, int width, long long stride, float* flags, float* scores, int* counts, int columns)
{
    for (int i = threadIdx.x; i < width; i += blockDim.x)
    {
        int index = indices[(long long)blockIdx.x * width + i];
        if (index >= 0)
        {
            long long place = blockIdx.x * stride + index;
            flags[place] = 1;
            scores[place] = MinusInfinity;
            atomicAdd(counts + place / columns, 1);
        }
    }
}

// scores of forced tokens = +∞: the first `first` and the last `last` of each row of `columns`.
extern "C" __global__ void forceEnds(float* scores, int columns, int first, int last)
{
    scores += (long long)blockIdx.y * columns;
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < columns && (i < first || i >= columns - last))
    {
        scores[i] = -MinusInfinity;
    }
}

// Rows of keys and values by index: target row offsets[head] + i = source row indices[head][i]. One warp a row of 16-byte units. Grid: groups of 8 rows, heads.
extern "C" __global__ void __launch_bounds__(256) gatherRows(
    const Element* keys, const Element* values, Element* keptKeys, Element* keptValues, const int* indices, int width, const int* counts, const long long* offsets,
    long long headStride, int stride)
{
    int head = blockIdx.y;
    int i = blockIdx.x * 8 + (threadIdx.x >> 5);
    if (i >= counts[head])
    {
        return;
    }

    long long source = head * headStride + (long long)indices[(long long)head * width + i] * stride;
    long long target = (offsets[head] + i) * stride;
    for (int d = (threadIdx.x & 31) * 8; d < stride; d += 256)
    {
        *reinterpret_cast<uint4*>(keptKeys + target + d) = *reinterpret_cast<const uint4*>(keys + source + d);
        *reinterpret_cast<uint4*>(keptValues + target + d) = *reinterpret_cast<const uint4*>(values + source + d);
    }
}
