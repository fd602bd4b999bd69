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

    [Fact]
    public void What_ran_dense_is_named_as_such_and_not_as_slow()
    {
        SparseAttentionResult[] rows = [Row("Dense", 0, 1.5), Row("BlockSparse", 0, 1.75, fallbacks: 2), Row("VerticalSlash", 0.25, 1.25, "Quest", fallbacks: 1), Row("BlockSparse", 0.5, 1)];
        Assert.Null(PrefillAdvice.Create(rows));
        string? advice = FallbackAdvice.Create(rows);
        Assert.Contains(": BlockSparse in 2 of 4 samples, VerticalSlash + Quest in 1 of 4 samples.", advice, StringComparison.Ordinal);
        Assert.Null(FallbackAdvice.Create(rows[..1]));
    }

    private static SparseAttentionResult Row(string method, double sparsity, double seconds, string decode = "Dense", int fallbacks = 0) =>
        new() { SampleCount = 4, FallbackCount = fallbacks, Method = method, DecodeMethod = decode, PrefillSparsity = sparsity, PrefillSeconds = seconds, SequenceLength = 2048 };
}
