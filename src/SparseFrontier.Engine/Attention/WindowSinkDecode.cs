namespace SparseFrontier.Attention;

/// <summary>Control: the first and the last prompt tokens, whatever they hold.</summary>
public sealed class WindowSinkDecode : EvictionMethod
{
    /// <inheritdoc/>
    public override string Name => "WindowSink";

    /// <inheritdoc/>
    public override bool IsControl => true;

    /// <inheritdoc/>
    public override MethodTaxonomy Taxonomy => new("local window and sinks, in tokens", "fixed", "uniform", "eviction");

    /// <inheritdoc/>
    public override string Description => "After the prompt every KV head keeps the first tokens and the last ones; the others are evicted.";

    /// <inheritdoc/>
    public override string Source => "StreamingLLM, Xiao et al. 2023, arXiv:2309.17453";

    /// <summary>None.</summary>
    public override int QueriesNeeded(MethodParameters parameters) => 0;

    /// <inheritdoc/>
    internal override float[][] ScoreTokens(PromptLayer layer, MethodParameters parameters) =>
        [.. Enumerable.Range(0, layer.KvHeads).Select(_ => Enumerable.Range(0, layer.Length).Select(token => (float)token).ToArray())];

    /// <summary>All of them: nothing depends on what the tokens hold.</summary>
    private protected override long CountForced(int[][] kept, int length, MethodParameters parameters) =>
        kept.Where(tokens => tokens.Length < length).Sum(tokens => (long)tokens.Length);
}
