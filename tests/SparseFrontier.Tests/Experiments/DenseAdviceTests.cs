using SparseFrontier.Experiments;
using Xunit;

namespace SparseFrontier.Tests.Experiments;

public class DenseAdviceTests
{
    [Fact]
    public void A_task_that_the_model_does_not_do_is_named()
    {
        string? advice = DenseAdvice.Create([Row("Dense", 0.15, 0.4), Row("BlockSparse", 0.35, 0.6)]);
        Assert.NotNull(advice);
        Assert.Contains("Dense attention scores 0.15 on Niah at 1024 tokens: tiny does not do the task", advice, StringComparison.Ordinal);
        Assert.Contains("Try -ShortInstructions", advice, StringComparison.Ordinal);
        Assert.DoesNotContain("-ShortInstructions", DenseAdvice.Create([Row("Dense", 0.15, 0.4, true), Row("BlockSparse", 0.35, 0.6)]), StringComparison.Ordinal);
    }

    [Fact]
    public void Nothing_is_said_where_dense_may_do_it_or_was_not_run_or_is_alone()
    {
        Assert.Null(DenseAdvice.Create([Row("Dense", 0.4, 0.7), Row("BlockSparse", 0.1, 0.3)]));
        Assert.Null(DenseAdvice.Create([Row("VerticalSlash", 0, 0.3), Row("BlockSparse", 0.1, 0.3)]));
        Assert.Null(DenseAdvice.Create([Row("Dense", 0.15, 0.4)]));
    }

    private static SparseAttentionResult Row(string method, double score, double high, bool shortInstructions = false) => new()
    {
        Method = method,
        DecodeMethod = "Dense",
        Task = "Niah",
        Model = "tiny",
        SequenceLength = 1024,
        Score = score,
        ScoreHigh = high,
        ShortInstructions = shortInstructions,
    };
}
