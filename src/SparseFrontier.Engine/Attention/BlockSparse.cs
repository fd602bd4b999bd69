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
    private protected override BlockScorer CreateScorer(PromptLayer layer, int queryHead, MethodParameters parameters) =>
        new PooledScorer(layer, queryHead, parameters.Integer(BlockSize));

    // Sums instead of means: the factor is the same for all key blocks of a row but the last one, which is the row's own and forced.
    private sealed unsafe class PooledScorer : BlockScorer
    {
        private readonly PromptLayer _layer;
        private readonly NativeArray<float> _querySums;
        private readonly NativeArray<float> _keySums;

        public PooledScorer(PromptLayer layer, int queryHead, int size)
        {
            _layer = layer;
            long count = (layer.Length + size - 1L) / size * layer.Queries.Dimension;
            _querySums = new NativeArray<float>(count);
            _keySums = new NativeArray<float>(count);
            layer.Kernels.SumBlocks(layer.Queries, queryHead, size, _querySums.Pointer);
            layer.Kernels.SumBlocks(layer.Keys, queryHead / layer.GroupSize, size, _keySums.Pointer);
        }

        public override void Score(int row, Span<float> scores)
        {
            int dimension = _layer.Queries.Dimension;
            fixed (float* output = scores)
            {
                _layer.Kernels.MatMulTransposed(
                    _querySums.Pointer + ((long)row * dimension), dimension, 1, _keySums.Pointer, dimension, scores.Length, dimension, output);
            }
        }

        public override void Dispose()
        {
            _querySums.Dispose();
            _keySums.Dispose();
            base.Dispose();
        }
    }
}
