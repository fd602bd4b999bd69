using SparseFrontier.Kernels;
using SparseFrontier.Kernels.Reference;
using SparseFrontier.Tensors;
using Xunit;

namespace SparseFrontier.Tests.Kernels;

public class AttentionPlanTests
{
    [Fact]
    public void Pairs_equal_the_count_of_the_explicit_mask()
    {
        var random = new RandomSource("plans");
        for (int trial = 0; trial < 60; trial++)
        {
            int rows = random.Next(1, 200);
            AttentionPlan plan = trial % 7 == 0
                ? AttentionPlan.Dense(rows, random.Next(1, 70))
                : KernelCorrectness.RandomPlan(random, rows, random.Next(1, 70), 0.3 * random.NextDouble());
            plan = trial % 5 == 0 ? KernelCorrectness.RandomPlan(random, rows, random.Next(1, 70), 0.3, random.Next(100)) : plan;
            int window = trial % 2 == 0 ? 0 : random.Next(1, rows + 20);
            long counted = Count(ReferenceMask.Create(plan, window));
            Assert.Equal(counted, plan.CountPairs(window));
            Assert.Equal(counted, new ReferenceKernels().CountExecutedPairs(plan, window));
            foreach (int width in KernelWidths.All)
            {
                Assert.True(KernelWidths.Get(width).CountExecutedPairs(plan, window) >= counted);
            }
        }
    }

    [Theory]
    [InlineData(1, 64)]
    [InlineData(64, 64)]
    [InlineData(65, 64)]
    [InlineData(1000, 16)]
    public void The_dense_plan_attends_to_every_causal_pair(int rows, int tileRows) =>
        Assert.Equal(rows * (rows + 1L) / 2, AttentionPlan.Dense(rows, tileRows).CountPairs());

    [Theory]
    [InlineData(100, 1, 100)]
    [InlineData(100, 100, 5050)]
    [InlineData(100, 30, 2565)]
    public void A_sliding_window_limits_the_pairs(int rows, int window, long pairs) =>
        Assert.Equal(pairs, AttentionPlan.Dense(rows).CountPairs(window));

    [Theory]
    [InlineData(512)]
    [InlineData(256)]
    [InlineData(128)]
    public void Vectors_of_rows_are_executed_up_to_their_last_row_and_nothing_else(int width)
    {
        // The rows of a vector see the keys up to the last of them, in groups of 8.
        int lanes = width / 32;
        long executed = Enumerable.Range(1, 1024 / lanes).Sum(i => (long)lanes * (((i * lanes) + 7) / 8 * 8));
        Assert.Equal(executed, KernelWidths.Get(width).CountExecutedPairs(AttentionPlan.Dense(1024), 0));
    }

    private static long Count(bool[,] mask)
    {
        long count = 0;
        foreach (bool attends in mask)
        {
            count += attends ? 1 : 0;
        }

        return count;
    }
}
