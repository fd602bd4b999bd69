using SparseFrontier.Tensors;

namespace SparseFrontier.Attention;

/// <summary>The key blocks whose mean key is most like the mean query of a block of rows.</summary>
public sealed class BlockSparse : BlockMethod
{
    /// <inheritdoc/>
    public override string Name => "BlockSparse";

    /// <inheritdoc/>
    public override MethodTaxonomy Taxonomy => new("blocks", "mean query · mean key of a block pair", "uniform", "not applicable");

    /// <inheritdoc/>
    public override string Description => "Every block of query rows keeps the key blocks with the largest product of mean query and mean key.";

    /// <inheritdoc/>
    public override string Source => "MInference, Jiang et al. 2024, arXiv:2407.02490; variant of The Sparse Frontier, arXiv:2504.17768, section 3";

    /// <inheritdoc/>
    public override double? NominalSparsity(PromptShape shape, MethodParameters parameters)
    {
        ArgumentNullException.ThrowIfNull(shape);
        double n = (int)BudgetRange(shape, parameters).Maximum;
        double k = parameters[BudgetParameter!];
        return 1 - (((k * (k + 1) / 2) + ((n - k) * k)) / (n * (n + 1) / 2));
    }

    /// <inheritdoc/>
    internal override BlockScorer CreateScorer(PromptLayer layer, int queryHead, MethodParameters parameters) =>
        new PooledScorer(layer, queryHead, parameters.Integer(BlockSize));

    // The last block's mean is taken over its padded size, as in the reference; that scales a whole row's scores, or a forced block's.
    private sealed unsafe class PooledScorer : BlockScorer
    {
        private readonly PromptLayer _layer;
        private readonly NativeArray<float> _queryMeans;
        private readonly NativeArray<float> _keyMeans;

        public PooledScorer(PromptLayer layer, int queryHead, int size)
        {
            _layer = layer;
            _queryMeans = Means(layer, layer.Queries, queryHead, size);
            _keyMeans = Means(layer, layer.Keys, queryHead / layer.GroupSize, size);
        }

        public override void Score(int row, Span<float> scores)
        {
            int dimension = _layer.Queries.Dimension;
            fixed (float* output = scores)
            {
                _layer.Kernels.MatMulTransposed(
                    _queryMeans.Pointer + ((long)row * dimension), dimension, 1, _keyMeans.Pointer, dimension, scores.Length, dimension, output);
            }

            ScoreRounding.ToBFloat16(scores);
        }

        public override void Dispose()
        {
            _queryMeans.Dispose();
            _keyMeans.Dispose();
            base.Dispose();
        }

        private static NativeArray<float> Means(PromptLayer layer, HeadTensor vectors, int head, int size)
        {
            var means = new NativeArray<float>((layer.Length + size - 1L) / size * vectors.Dimension);
            layer.Kernels.SumBlocks(vectors, head, size, means.Pointer);
            for (long i = 0; i < means.Length; i++)
            {
                means.Pointer[i] = ScoreRounding.ToBFloat16(means.Pointer[i] / size);
            }

            return means;
        }
    }
}
