// Scores of pairs of a block of query rows and a block of keys, for BlockSparse: mean query · mean key, rounded to bfloat16. The means are bfloat16 as the method defines them (blocks.cu), whatever the vectors
// are, so that tensor cores multiply them without an error; a score's sum in float32 is along the elements in one order, which depends neither on its place in a tile nor on the rows and heads beside it.
//
// Layout: queries [heads][..][dimension] from the first row of the strip on, keys [KV heads][..][dimension], heads by strides; scores [heads][rows][stride] float32 of the `rows` block rows from
// `firstRow` on, of which row r has firstRow + r + 1. What lies behind them in a row is not defined.
// Cost: 2 HEAD operations and four bytes written for each pair, so that memory bounds it. A thread block holds 128 query means (64 where HEAD exceeds 128) in registers and sends half as many key means at a time past them,
// through three places in shared memory, two of which first serve to load what is held.
//
// Constants: TYPE (0: the means' type), HEAD (rounded up to 16).
#include "score_tile.cuh"

static constexpr int RowTiles = HEAD <= 128 ? 2 : 1;
static constexpr int WarpRows = 16 * RowTiles;
static constexpr int Rows = Warps * WarpRows;
static constexpr int Columns = Rows / 2;

// Columns that are taken at once: as many scores as find room in registers beside what is held.
static constexpr int PartColumns = WARPGROUPS ? Columns : 32;

// Three blocks on a multiprocessor have 168 registers a thread.
static constexpr int Resident = 3;

// Grid: splits of splitColumns key blocks (a multiple of 64), tiles of `Rows` block rows, heads. columns: key blocks that there are.
extern "C" __global__ void __launch_bounds__(Threads, Resident) scoreMeans(
    const Element* queries, const Element* keys, float* scores, int firstRow, int rows, int columns, int splitColumns, int group, int dimension, long long queryHeadStride,
    long long keyHeadStride, int stride)
{
    extern __shared__ __align__(1024) Element stages[];
    int first = blockIdx.y * Rows;
    int count = min(Rows, rows - first);
    int begin = blockIdx.x * splitColumns;
    int end = min(min(columns, begin + splitColumns), firstRow + first + count);
    if (begin >= end)
    {
        // All of it is later than its rows.
        return;
    }

    queries += blockIdx.z * queryHeadStride;
    keys += blockIdx.z / group * keyHeadStride;
    loadTile<Rows, Columns>(stages, queries, dimension, first, count, dimension);
    commitCopies();
    int stage = 2;
    loadTile<Columns, Columns>(stages + stage * Columns * Width, keys, dimension, begin, end - begin, dimension);
    commitCopies();
    waitTiles<1>();
    __syncthreads();
    int lane = threadIdx.x & 31;
    int warpRow = (threadIdx.x >> 5) * WarpRows;
    unsigned held[HEAD / 16][RowTiles][4];
    holdRows<RowTiles, Columns>(held, stages, warpRow);
    __syncthreads();
    if (begin + Columns < end)
    {
        loadTile<Columns, Columns>(stages, keys, dimension, begin + Columns, end - begin - Columns, dimension);
    }

    commitCopies();
    scores += ((long long)blockIdx.z * rows + first) * stride;
    for (int column = begin; column < end; column += Columns)
    {
        waitTiles<1>();
        __syncthreads();

        // All have left the place of the tile before.
        int next = column + 2 * Columns;
        if (next < end)
        {
            loadTile<Columns, Columns>(stages + (stage == 0 ? 2 : stage - 1) * Columns * Width, keys, dimension, next, end - next, dimension);
        }

        commitCopies();
#pragma unroll
        for (int part = 0; part < Columns; part += PartColumns)
        {
            float sums[RowTiles][PartColumns / 8][4];
            score<RowTiles, PartColumns, Columns>(sums, held, stages + stage * Columns * Width, part);
#pragma unroll
            for (int m = 0; m < 2 * RowTiles; m++)
            {
                int row = warpRow + m * 8 + (lane >> 2);
                int own = column + part + (lane & 3) * 2;
                float* line = scores + (long long)row * stride + own;
#pragma unroll
                for (int n = 0; n < PartColumns / 8; n++)
                {
                    unsigned both = pack(sums[m / 2][n][m % 2 * 2], sums[m / 2][n][m % 2 * 2 + 1]);
                    float2 pair = make_float2(__uint_as_float(both << 16), __uint_as_float(both & 0xffff0000u));
                    int left = row < count ? end - own - n * 8 : 0;
                    if (left > 1 && stride % 2 == 0)
                    {
                        *reinterpret_cast<float2*>(line + n * 8) = pair;
                        continue;
                    }

                    if (left > 0)
                    {
                        line[n * 8] = pair.x;
                    }

                    if (left > 1)
                    {
                        line[n * 8 + 1] = pair.y;
                    }
                }
            }
        }

        stage = stage == 2 ? 0 : stage + 1;
    }

    waitCopies<0>();
}
