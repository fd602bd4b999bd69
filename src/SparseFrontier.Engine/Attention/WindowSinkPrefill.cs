namespace SparseFrontier.Attention;

/// <summary>Control: the first and the latest key blocks, whatever they hold.</summary>
public sealed class WindowSinkPrefill : BlockMethod
{
    /// <inheritdoc/>
    public override string Name => "WindowSink";

    /// <inheritdoc/>
    public override bool IsControl => true;

    /// <inheritdoc/>
    public override MethodTaxonomy Taxonomy => new("local window and sinks, in blocks", "fixed", "uniform", "not applicable");

    /// <inheritdoc/>
    public override string Description => "Every block of query rows keeps the first key blocks and the latest ones.";

    /// <inheritdoc/>
    public override string Source => "StreamingLLM, Xiao et al. 2023, arXiv:2309.17453";

    /// <inheritdoc/>
    internal override BlockScorer CreateScorer(PromptLayer layer, int queryHead, MethodParameters parameters) => new RecencyScorer();

    /// <summary>All of them: nothing depends on what the blocks hold.</summary>
    private protected override long ForcedPairs(int length, MethodParameters parameters) =>
        CountPairs(length, parameters.Integer(BlockSize), parameters.Integer(BudgetParameter!));

    private sealed class RecencyScorer : BlockScorer
    {
        public override void Score(int row, Span<float> scores)
        {
            for (int block = 0; block < scores.Length; block++)
            {
                scores[block] = block;
            }
        }
    }
}
