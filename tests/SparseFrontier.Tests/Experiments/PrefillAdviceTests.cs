using SparseFrontier.Experiments;
using Xunit;

namespace SparseFrontier.Tests.Experiments;

public class PrefillAdviceTests
{
    [Fact]
    public void Slow_prefills_are_named()
    {
        string? advice = PrefillAdvice.Create([Row("Dense", 0, 1.5), Row("VerticalSlash", 0.5, 1.75), Row("BlockSparse", 0.9, 0.5)]);
        Assert.NotNull(advice);
        Assert.Contains("VerticalSlash at 0.50 (1.75 s)", advice, StringComparison.Ordinal);
        Assert.Contains("1.50 s a sample", advice, StringComparison.Ordinal);
        Assert.Contains("At 2048 tokens", advice, StringComparison.Ordinal);
        Assert.DoesNotContain("BlockSparse", advice, StringComparison.Ordinal);
    }

    [Fact]
    public void Nothing_is_said_where_every_sparse_prefill_was_faster() =>
        Assert.Null(PrefillAdvice.Create([Row("Dense", 0, 1.5), Row("VerticalSlash", 0.5, 1.25)]));

    [Fact]
    public void Nothing_is_said_without_a_dense_run() => Assert.Null(PrefillAdvice.Create([Row("VerticalSlash", 0.5, 9)]));

    [Fact]
    public void Decode_methods_share_the_dense_prefill_and_are_left_out() =>
        Assert.Null(PrefillAdvice.Create([Row("Dense", 0, 1.5), Row("Dense", 0, 1.6, "SnapKV")]));

    private static SparseAttentionResult Row(string method, double sparsity, double seconds, string decode = "Dense") =>
        new() { Method = method, DecodeMethod = decode, PrefillSparsity = sparsity, PrefillSeconds = seconds, SequenceLength = 2048 };
}
