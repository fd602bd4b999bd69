using SparseFrontier.Tensors;

namespace SparseFrontier.Attention;

/// <summary>Control: the key blocks that hold the most of a row block's exact attention. Costs as much as dense attention.</summary>
public sealed class OracleTopKPrefill : BlockMethod
{
    /// <inheritdoc/>
    public override string Name => "OracleTopK";

    /// <inheritdoc/>
    public override bool IsControl => true;

    /// <inheritdoc/>
    public override MethodTaxonomy Taxonomy => new("blocks", "exact attention", "uniform", "not applicable");

    /// <inheritdoc/>
    public override string Description => "Every block of query rows keeps the forced key blocks of BlockSparse and those with the most exact attention.";

    /// <inheritdoc/>
    public override string Source => "A control of this project";

    /// <inheritdoc/>
    internal override BlockScorer CreateScorer(PromptLayer layer, int queryHead, MethodParameters parameters) =>
        new MassScorer(layer, queryHead, parameters.Integer(BlockSize));

    private sealed unsafe class MassScorer(PromptLayer layer, int queryHead, int size) : BlockScorer
    {
        private readonly float[] _mass = new float[layer.Length];

        // The rows of the block are the last queries of the prompt that ends with them.
        public override void Score(int row, Span<float> scores)
        {
            int end = Math.Min(layer.Length, (row + 1) * size);
            Span<float> mass = _mass.AsSpan(0, end);
            layer.Kernels.LastWindowAttention(
                First(layer.Queries, end), First(layer.Keys, end), queryHead, end - (row * size), layer.Scale, mass, default, default);
            for (int block = 0; block < scores.Length; block++)
            {
                float sum = 0;
                foreach (float value in mass[(block * size)..Math.Min(end, (block + 1) * size)])
                {
                    sum += value;
                }

                scores[block] = sum;
            }
        }

        private static HeadTensor First(HeadTensor tensor, int rows) =>
            new(tensor.Data, tensor.Heads, rows, tensor.Dimension, tensor.HeadStride, tensor.RowStride);
    }
}
