// What a step of many sequences does beside products and attention: where each row's keys and values lie, rotary embedding with what belongs to it, the next tokens,
// comparisons of logits. All that changes from step to step is read from the device's memory, so that the same launches serve every step of the same shape. Memory-bound, and small.
//
// Constants: TYPE.
#include "ptx.cuh"
#include "step_caches.cuh"

// Arrays over [layers][rows][KV heads] in one piece of memory.
struct Places
{
    unsigned long long* keys;       // addresses such that token t of what the row sees is row t
    unsigned long long* values;
    unsigned long long* tailKeys;   // likewise, from `splits` tokens on
    unsigned long long* tailValues;
    PagedHead* paged;
    int* splits;
    int* counts;                    // tokens that the row sees
};

static __device__ __forceinline__ Places placesAt(void* memory, long long heads)
{
    Places p;
    p.keys = static_cast<unsigned long long*>(memory);
    p.values = p.keys + heads;
    p.tailKeys = p.values + heads;
    p.tailValues = p.tailKeys + heads;
    p.paged = reinterpret_cast<PagedHead*>(p.tailValues + heads);
    p.splits = reinterpret_cast<int*>(p.paged + heads);
    p.counts = p.splits + heads;
    return p;
}

// Writes the places of all layers, and zeros into the clocks [groups][layers][4] and the choices [rows] of the step. windows [layers]: tokens that a row sees, 0 = all;
// a window begins so many tokens into the cache, and tokens are counted from there. Grid: rows, layers.
extern "C" __global__ void place(
    const StepRow* rows, const int* windows, void* memory, unsigned long long* times, int groups, unsigned long long* choices, int kvHeads, int dimension)
{
    int row = blockIdx.x;
    int layer = blockIdx.y;
    const StepRow own = rows[row];
    Places p = placesAt(memory, (long long)gridDim.x * gridDim.y * kvHeads);
    for (int head = threadIdx.x; head < kvHeads; head += blockDim.x)
    {
        const CacheHead cache = own.heads[layer * kvHeads + head];
        int length = cache.split + own.appended;
        int skipped = windows[layer] > 0 ? max(0, length - windows[layer]) : 0;
        long long back = (long long)(skipped - cache.split) * dimension;
        long long i = ((long long)layer * gridDim.x + row) * kvHeads + head;
        p.keys[i] = reinterpret_cast<unsigned long long>(cache.keys + (long long)skipped * dimension);
        p.values[i] = reinterpret_cast<unsigned long long>(cache.values + (long long)skipped * dimension);
        p.tailKeys[i] = reinterpret_cast<unsigned long long>(cache.tailKeys + back);
        p.tailValues[i] = reinterpret_cast<unsigned long long>(cache.tailValues + back);
        p.splits[i] = cache.split - skipped;
        p.counts[i] = length - skipped;
        p.paged[i] = { cache.keys, cache.tailKeys - (long long)cache.split * dimension, cache.bounds, cache.tailBounds, cache.split, own.promptPages, length, cache.budget };
    }

    if (row == 0)
    {
        for (int i = threadIdx.x; i < groups * 4; i += blockDim.x)
        {
            times[((long long)(i / 4) * gridDim.y + layer) * 4 + i % 4] = 0;
        }
    }

    if (layer == 0 && threadIdx.x == 0)
    {
        choices[row] = 0;
    }
}

// residual [rows][width] = scale · table[token]. One block a row.
extern "C" __global__ void embedRows(const Element* table, const StepRow* rows, float* residual, int width, float scale)
{
    const Element* source = table + (long long)rows[blockIdx.x].token * width;
    residual += (long long)blockIdx.x * width;
    for (int i = threadIdx.x; i < width; i += blockDim.x)
    {
        residual[i] = scale * widen(source[i]);
    }
}

static __device__ __forceinline__ Element narrowed(float value)
{
    return static_cast<Element>(pack(value, 0) & 0xffff);
}

// Norm by head where there is a weight, rotary embedding, and keys and values into the cache: as normalizeHeads and rotate of decoder.cu, bit for bit. queries
// [rows][heads][dimension] in place; keys, values [rows][KV heads][dimension]. tailKeys, tailValues, counts: of the layer, [rows][KV heads]. One warp a vector.
// Grid: rows, groups of 4 vectors.
extern "C" __global__ void __launch_bounds__(128) placeHeads(
    const StepRow* rows, Element* queries, const Element* keys, const Element* values, const float* queryNorm, const float* keyNorm, const unsigned long long* tailKeys,
    const unsigned long long* tailValues, const int* counts, int queryHeads, int kvHeads, int dimension, float epsilon, int sliding)
{
    int row = blockIdx.x;
    int vector = blockIdx.y * 4 + (threadIdx.x >> 5);
    int lane = threadIdx.x & 31;
    if (vector >= queryHeads + 2 * kvHeads)
    {
        return;
    }

    int head = vector - queryHeads;
    if (head >= kvHeads)
    {
        head -= kvHeads;
        int i = row * kvHeads + head;
        Element* target = reinterpret_cast<Element*>(tailValues[i]) + (long long)(counts[i] - 1) * dimension;
        for (int d = lane; d < dimension; d += 32)
        {
            target[d] = values[(long long)i * dimension + d];
        }

        return;
    }

    const Element* source;
    Element* target;
    const float* norm;
    if (head < 0)
    {
        target = queries + ((long long)row * queryHeads + vector) * dimension;
        source = target;
        norm = queryNorm;
    }
    else
    {
        int i = row * kvHeads + head;
        source = keys + (long long)i * dimension;
        target = reinterpret_cast<Element*>(tailKeys[i]) + (long long)(counts[i] - 1) * dimension;
        norm = keyNorm;
    }

    float factor = 1;
    if (norm)
    {
        float sum = 0;
        for (int d = lane; d < dimension; d += 32)
        {
            float x = widen(source[d]);
            sum += x * x;
        }

#pragma unroll
        for (int distance = 16; distance > 0; distance >>= 1)
        {
            sum += __shfl_xor_sync(AllLanes, sum, distance);
        }

        factor = 1 / sqrtf(sum / dimension + epsilon);
    }

    int half = dimension / 2;
    const float* cosines = (sliding ? rows[row].slidingAngles : rows[row].angles) + (long long)(rows[row].appended - 1) * dimension;
    for (int d = lane; d < half; d += 32)
    {
        float a = widen(source[d]);
        float b = widen(source[d + half]);
        if (norm)
        {
            a = widen(narrowed(a * factor * norm[d]));
            b = widen(narrowed(b * factor * norm[d + half]));
        }

        float cosine = cosines[d];
        float sine = cosines[half + d];
        target[d] = narrowed(a * cosine - b * sine);
        target[d + half] = narrowed(b * cosine + a * sine);
    }
}

// choices [rows], 0 before: the order of the largest logit in the upper half, the complement of its index in the lower, so that of equal logits the lowest index
// is chosen; stays 0 where no logit is a number above -∞. Grid: parts of a row, rows.
extern "C" __global__ void __launch_bounds__(256) chooseLargest(const float* logits, unsigned long long* choices, int vocabulary)
{
    logits += (long long)blockIdx.y * vocabulary;
    unsigned long long best = 0;
    for (int i = blockIdx.x * 256 + threadIdx.x; i < vocabulary; i += gridDim.x * 256)
    {
        float x = logits[i] + 0.0f;
        if (x > MinusInfinity)
        {
            unsigned bits = __float_as_uint(x);
            unsigned order = bits ^ (static_cast<unsigned>(static_cast<int>(bits) >> 31) | 0x80000000u);
            unsigned long long choice = (static_cast<unsigned long long>(order) << 32) | (0xffffffffu - static_cast<unsigned>(i));
            best = best > choice ? best : choice;
        }
    }

#pragma unroll
    for (int distance = 16; distance > 0; distance >>= 1)
    {
        unsigned long long other = __shfl_xor_sync(AllLanes, best, distance);
        best = best > other ? best : other;
    }

    if ((threadIdx.x & 31) == 0 && best)
    {
        atomicMax(choices + blockIdx.y, best);
    }
}

// Sum over a block's 256 threads, in an order of its own; every thread gets it.
static __device__ __forceinline__ double blockSum(double value, double* shared)
{
#pragma unroll
    for (int distance = 16; distance > 0; distance >>= 1)
    {
        value += __shfl_xor_sync(AllLanes, value, distance);
    }

    __syncthreads();
    if ((threadIdx.x & 31) == 0)
    {
        shared[threadIdx.x >> 5] = value;
    }

    __syncthreads();
    double sum = 0;
#pragma unroll
    for (int warp = 0; warp < 8; warp++)
    {
        sum += shared[warp];
    }

    return sum;
}

// What is subtracted from a logit to make it a log-probability.
static __device__ double logSumOfExponentials(const float* logits, int vocabulary, double* shared)
{
    float largest = MinusInfinity;
    for (int i = threadIdx.x; i < vocabulary; i += 256)
    {
        largest = fmaxf(largest, logits[i]);
    }

#pragma unroll
    for (int distance = 16; distance > 0; distance >>= 1)
    {
        largest = fmaxf(largest, __shfl_xor_sync(AllLanes, largest, distance));
    }

    __syncthreads();
    if ((threadIdx.x & 31) == 0)
    {
        shared[threadIdx.x >> 5] = largest;
    }

    __syncthreads();
#pragma unroll
    for (int warp = 0; warp < 8; warp++)
    {
        largest = fmaxf(largest, static_cast<float>(shared[warp]));
    }

    double sum = 0;
    for (int i = threadIdx.x; i < vocabulary; i += 256)
    {
        sum += exp(static_cast<double>(logits[i] - largest));
    }

    return largest + log(blockSum(sum, shared));
}

// questions [rows] {token, row to compare with or -1}; answers [rows] {log-probability of the token, divergence from the other row's distribution, Σ p log(p / q), 0 without
// one}: as LogitMath, in double precision. Nothing for rows whose token is negative. Grid: rows.
extern "C" __global__ void __launch_bounds__(256) compareLogits(const float* logits, const int2* questions, double2* answers, int vocabulary)
{
    __shared__ double shared[8];
    const int2 question = questions[blockIdx.x];
    if (question.x < 0)
    {
        return;
    }

    const float* own = logits + (long long)blockIdx.x * vocabulary;
    double norm = logSumOfExponentials(own, vocabulary, shared);
    double divergence = 0;
    if (question.y >= 0)
    {
        const float* other = logits + (long long)question.y * vocabulary;
        double otherNorm = logSumOfExponentials(other, vocabulary, shared);
        for (int i = threadIdx.x; i < vocabulary; i += 256)
        {
            double logP = other[i] - otherNorm;
            if (logP > -60)
            {
                divergence += exp(logP) * (logP - (own[i] - norm));
            }
        }

        // Rounding may leave a negative zero; what is not a number stays.
        divergence = blockSum(divergence, shared);
        divergence = divergence < 0 ? 0 : divergence;
    }

    if (threadIdx.x == 0)
    {
        answers[blockIdx.x] = make_double2(own[question.x] - norm, divergence);
    }
}
