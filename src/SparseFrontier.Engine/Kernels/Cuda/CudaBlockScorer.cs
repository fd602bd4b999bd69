using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels.Cuda;

/// <summary>
/// Scores of causal block pairs on the device, strip by strip, for the methods that keep key blocks: the processor's scores of the same methods, those that are sums up to their
/// rounding.
/// </summary>
internal abstract class CudaBlockScorer : IDisposable
{
    private readonly CudaVectors _queries;
    private readonly int _blockSize;
    private readonly int _columns;

    private CudaBlockScorer(CudaVectors queries, int blockSize)
    {
        _queries = queries;
        _blockSize = blockSize;
        _columns = (queries.Rows + blockSize - 1) / blockSize;
    }

    private CudaDevice Device => _queries.Device;

    private int Heads => _queries.Heads;

    // Most rows and keys of a block for Mass.
    private const int LargestMassBlock = 64;

    /// <summary>Whether a device computes <see cref="Mass"/>: heads of more than 192 elements need more shared memory than the cards of compute capability 8.6, 8.9 and 12.0 have.</summary>
    /// <param name="device">The device.</param>
    /// <param name="dimension">Elements of a head.</param>
    /// <param name="blockSize">Rows and keys of a block, a power of two.</param>
    public static bool CanSumMass(CudaDeviceProperties device, int dimension, int blockSize) => blockSize <= LargestMassBlock && MassScorer.SharedBytes(dimension) <= device.SharedBytes;

    /// <summary>Mean query · mean key; see block_scores.cu.</summary>
    /// <param name="queries">[query heads, length, dimension].</param>
    /// <param name="keys">[KV heads, length, dimension].</param>
    /// <param name="blockSize">Rows and keys of a block.</param>
    public static CudaBlockScorer Means(CudaVectors queries, CudaVectors keys, int blockSize) => new MeanScorer(queries, keys, blockSize);

    /// <summary>Random numbers: each block row draws from the stream of its index; see blocks.cu.</summary>
    /// <param name="queries">[query heads, length, dimension], of which the shape counts.</param>
    /// <param name="blockSize">Rows and keys of a block.</param>
    /// <param name="states">[query heads]: what the streams come from.</param>
    public static CudaBlockScorer Drawn(CudaVectors queries, int blockSize, RandomState[] states) => new RandomScorer(queries, blockSize, states);

    /// <summary>Later blocks above earlier ones; see blocks.cu.</summary>
    /// <param name="queries">[query heads, length, dimension], of which the shape counts.</param>
    /// <param name="blockSize">Rows and keys of a block.</param>
    public static CudaBlockScorer Latest(CudaVectors queries, int blockSize) => new RecencyScorer(queries, blockSize);

    /// <summary>Exact attention; see block_mass.cu.</summary>
    /// <param name="queries">[query heads, length, dimension].</param>
    /// <param name="keys">[KV heads, length, dimension].</param>
    /// <param name="blockSize">Rows and keys of a block: a power of two from 2 to 64 (<see cref="CanSumMass"/>).</param>
    /// <param name="scale">Factor on query · key; positive.</param>
    public static CudaBlockScorer Mass(CudaVectors queries, CudaVectors keys, int blockSize, float scale)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(scale);
        return new MassScorer(queries, keys, blockSize, scale);
    }

    /// <summary>Writes scores [query heads, rows, blocks] of block rows, each with as many blocks as its index and one.</summary>
    /// <param name="first">First block row, a multiple of 32.</param>
    /// <param name="rows">Number of block rows.</param>
    /// <param name="scores">As much memory.</param>
    public abstract void Score(int first, int rows, CudaMemory scores);

    /// <inheritdoc/>
    public virtual void Dispose()
    {
    }

    private sealed class MeanScorer(CudaVectors queries, CudaVectors keys, int blockSize) : CudaBlockScorer(queries, blockSize)
    {
        private readonly CudaMemory _queryMeans = CudaBlocks.Means(queries, blockSize);
        private readonly CudaMemory _keyMeans = CudaBlocks.Means(keys, blockSize);

        public override void Score(int first, int rows, CudaMemory scores) =>
            CudaBlocks.Score(_queryMeans, _keyMeans, _columns, Heads, Heads / keys.Heads, _queries.Width, first, rows, scores);

        public override void Dispose()
        {
            _queryMeans.Dispose();
            _keyMeans.Dispose();
            base.Dispose();
        }
    }

    private sealed class RandomScorer(CudaVectors queries, int blockSize, RandomState[] states) : CudaBlockScorer(queries, blockSize)
    {
        private readonly CudaMemory _states = CudaMemory.From<RandomState>(queries.Device, states);

        public override void Score(int first, int rows, CudaMemory scores) =>
            Device.Function("blocks.cu", "drawBlocks", ("TYPE", 0)).Launch(((rows + 63) / 64, Heads, 1), 64, 0, _states, scores, first, rows, _columns);

        public override void Dispose()
        {
            _states.Dispose();
            base.Dispose();
        }
    }

    private sealed class RecencyScorer(CudaVectors queries, int blockSize) : CudaBlockScorer(queries, blockSize)
    {
        public override void Score(int first, int rows, CudaMemory scores) =>
            Device.Function("blocks.cu", "latestBlocks", ("TYPE", 0)).Launch(((_columns + 255) / 256, rows, Heads), 256, 0, scores, _columns);
    }

    private sealed class MassScorer(CudaVectors queries, CudaVectors keys, int blockSize, float scale) : CudaBlockScorer(queries, blockSize)
    {
        private const int TileRows = 64;

        // A tile of queries, two of keys, and of each query the weights of 64 keys and their sums over blocks.
        public static int SharedBytes(int dimension) => (3 * TileRows * CudaAttention.RoundUp(dimension, 64) * 2) + (TileRows * (65 + 33) * sizeof(float));

        public override void Score(int first, int rows, CudaMemory scores)
        {
            CudaAttention.RequireDimension(_queries.Dimension);
            int head = CudaAttention.RoundUp(_queries.Dimension, 16);
            int length = keys.Rows;
            int queryRows = (int)Math.Min((long)rows * _blockSize, length - ((long)first * _blockSize));
            Device.Function("block_mass.cu", "blockMass", _queries.TypeDefinition, ("HEAD", head)).Launch(
                ((queryRows + TileRows - 1) / TileRows, Heads, 1),
                128,
                SharedBytes(head),
                _queries.Address,
                keys.Address,
                scores,
                length,
                _blockSize,
                first,
                rows,
                _columns,
                Heads / keys.Heads,
                _queries.Width,
                scale * 1.44269504088896341f,
                _queries.HeadStride,
                _queries.RowStride,
                keys.HeadStride,
                keys.RowStride);
        }
    }
}
