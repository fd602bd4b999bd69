using SparseFrontier.Analysis;
using Xunit;

namespace SparseFrontier.Tests;

public sealed class CountedTests
{
    [Theory]
    [InlineData(0, "0 runs", "0 rows are")]
    [InlineData(1, "1 run", "1 row is")]
    [InlineData(2, "2 runs", "2 rows are")]
    public void NounFollowsItsCount(int count, string noun, string verb)
    {
        Assert.Equal(noun, Counted.Of(count, "run"));
        Assert.Equal(verb, Counted.Of(count, "row is", "rows are"));
    }

    [Fact]
    public void MessagesOfOneAreSingular()
    {
        Assert.EndsWith("1 sample, seed 43", new RunSpecification { SampleCount = 1 }.ToString(), StringComparison.Ordinal);
        Assert.EndsWith("0 of 1 element done", new SparseAttentionJob { TaskCount = 1 }.ToString(), StringComparison.Ordinal);
        Assert.Equal("1 of 1 row is left out: 1 infeasible.", Pareto.LeftOut([new SparseAttentionResult { Status = RunStatus.Infeasible }]));
    }
}
