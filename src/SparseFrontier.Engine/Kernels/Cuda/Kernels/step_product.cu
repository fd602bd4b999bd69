// Products of few rows with weights (steps of generation), by tensor cores on any card from compute capability 8.0: y = x Wᵀ, x [rows][depth], W [outputs][depth].
// Memory-bound: every weight is read once for each 64 rows.
//
// Weights are the 16-row operand of the products and rows of x the 8-column one, so that up to eight rows cost what one costs. Both go from global memory straight
// into the products' registers, 16 bytes a thread: depth may be taken in any order as long as x and W agree. A thread block computes 16 outputs; its warps
// take every WARPS-th chunk of 32 UNROLL elements of depth and are merged in their order. A row's sums are therefore taken in an order that depends on the depth
// alone, whatever rows are beside it and however many.
//
// Several matrices that read the same x are one launch: thread blocks are counted through them. A gate and its upward matrix are interleaved: the lower eight rows of
// a product are the gate's outputs, the upper eight the same outputs of the other, so that one thread holds both.
//
// Cost: 2 outputs depth bytes for each ROWS rows. Grid: groups of outputs, groups of ROWS rows.
//
// Constants: TYPE; ROWS: rows of a thread block, a multiple of 8; WARPS, UNROLL; KIND: 0 = elements, bias may be null; 1 = float32; 2 = float32, added to y; 3 = activation(gate) · up.
#include "ptx.cuh"

static constexpr int Columns = ROWS / 8;
// Thread blocks that a multiprocessor is to hold, as registers allow.
static constexpr int Blocks = ROWS <= 32 ? 2 : 1;

// One matrix of a launch; `up` only of a gate.
struct Part
{
    const Element* weights;
    const Element* up;
    const float* bias;
    void* y;
    int outputs;
    int firstBlock;
};

struct Parts
{
    Part part[3];
};

static __device__ __forceinline__ uint4 loadWeights(const Element* source, bool valid)
{
    uint4 r = make_uint4(0, 0, 0, 0);
    if (valid)
    {
        // Not kept in L1, and asked for by two lines at a time: all of them will be read.
        asm volatile("ld.global.nc.L1::no_allocate.L2::256B.v4.u32 {%0,%1,%2,%3}, [%4];" : "=r"(r.x), "=r"(r.y), "=r"(r.z), "=r"(r.w) : "l"(source));
    }

    return r;
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

static __device__ __forceinline__ float rounded(float x)
{
    return widen(pack(x, 0) & 0xffff);
}

extern "C" __global__ void __launch_bounds__(32 * WARPS, Blocks) stepProduct(const Element* x, const __grid_constant__ Parts parts, int rows, int depth, int gelu)
{
    __shared__ float merged[WARPS][16][ROWS + 1];
    int firstRow = blockIdx.y * ROWS;
    rows = min(rows - firstRow, ROWS);
    x += (long long)firstRow * depth;
    int index = 0;
#pragma unroll
    for (int i = 1; i < 3; i++)
    {
        index += blockIdx.x >= parts.part[i].firstBlock;
    }

    const Part& part = parts.part[index];
    int warp = threadIdx.x >> 5;
    int lane = threadIdx.x & 31;
    int row = lane >> 2;
    int quarter = lane & 3;
#if KIND == 3
    static constexpr int OutputsOfTile = 8;
#else
    static constexpr int OutputsOfTile = 16;
#endif
    int firstOutput = (blockIdx.x - part.firstBlock) * OutputsOfTile;
    int outputs = part.outputs;

    // Outputs beyond the last are computed from the last's weights and not written.
    const Element* low = part.weights + (long long)min(firstOutput + row, outputs - 1) * depth + quarter * 8;
#if KIND == 3
    const Element* high = part.up + (long long)min(firstOutput + row, outputs - 1) * depth + quarter * 8;
#else
    const Element* high = part.weights + (long long)min(firstOutput + row + 8, outputs - 1) * depth + quarter * 8;
#endif

    const Element* vectors = x + (long long)row * depth + quarter * 8;
    float sums[Columns][4] = {};
    for (int first = warp * 32 * UNROLL; first < depth; first += WARPS * 32 * UNROLL)
    {
        uint4 w[UNROLL][2];
#pragma unroll
        for (int u = 0; u < UNROLL; u++)
        {
            int column = first + u * 32;
            bool valid = column + quarter * 8 < depth;
            w[u][0] = loadWeights(low + column, valid);
            w[u][1] = loadWeights(high + column, valid);
        }

#pragma unroll
        for (int u = 0; u < UNROLL; u++)
        {
            int column = first + u * 32;
            bool valid = column + quarter * 8 < depth;
#pragma unroll
            for (int n = 0; n < Columns; n++)
            {
                uint4 v = valid && row + n * 8 < rows ? *reinterpret_cast<const uint4*>(vectors + (long long)n * 8 * depth + column) : make_uint4(0, 0, 0, 0);
                const unsigned a[4] = { w[u][0].x, w[u][1].x, w[u][0].y, w[u][1].y };
                const unsigned b[4] = { w[u][0].z, w[u][1].z, w[u][0].w, w[u][1].w };
                multiply(sums[n], a, v.x, v.y);
                multiply(sums[n], b, v.z, v.w);
            }
        }
    }

#pragma unroll
    for (int n = 0; n < Columns; n++)
    {
#pragma unroll
        for (int i = 0; i < 4; i++)
        {
            merged[warp][row + (i >> 1) * 8][n * 8 + quarter * 2 + (i & 1)] = sums[n][i];
        }
    }

    __syncthreads();
    for (int i = threadIdx.x; i < OutputsOfTile * ROWS; i += 32 * WARPS)
    {
        int output = i % OutputsOfTile;
        int r = i / OutputsOfTile;
        int target = firstOutput + output;
        if (r >= rows || target >= outputs)
        {
            continue;
        }

#if KIND == 3
        float gate = 0;
        float up = 0;
#pragma unroll
        for (int k = 0; k < WARPS; k++)
        {
            gate += merged[k][output][r];
            up += merged[k][output + 8][r];
        }

        static_cast<Element*>(part.y)[(long long)(firstRow + r) * outputs + target] = static_cast<Element>(pack(activation(rounded(gate), gelu) * rounded(up), 0) & 0xffff);
#else
        float sum = 0;
#pragma unroll
        for (int k = 0; k < WARPS; k++)
        {
            sum += merged[k][output][r];
        }

        long long place = (long long)(firstRow + r) * outputs + target;
#if KIND == 0
        // The product is rounded before the bias is added, as in prompts.
        float value = part.bias ? rounded(sum) + part.bias[target] : sum;
        static_cast<Element*>(part.y)[place] = static_cast<Element>(pack(value, 0) & 0xffff);
#elif KIND == 1
        static_cast<float*>(part.y)[place] = sum;
#else
        static_cast<float*>(part.y)[place] += sum;
#endif
#endif
    }
}
