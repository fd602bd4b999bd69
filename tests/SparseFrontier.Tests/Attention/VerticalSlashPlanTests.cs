using SparseFrontier.Attention;
using SparseFrontier.Kernels;
using SparseFrontier.Tensors;
using Xunit;

namespace SparseFrontier.Tests.Attention;

public class VerticalSlashPlanTests
{
    [Fact]
    public void Every_requested_pair_is_covered_and_none_twice()
    {
        for (int seed = 0; seed < 60; seed++)
        {
            var random = new RandomSource("test/VerticalSlashPlan", seed);
            int length = random.Next(1, 300);
            int[] verticals = Choose(random, length, random.Next(0, Math.Min(length, 40) + 1), []);
            int[] slashes = Choose(random, length, random.Next(1, Math.Min(length, 40) + 1), [0]);
            AttentionPlan plan = VerticalSlashPlan.Build(length, verticals, slashes).Plan;
            int[,] count = new int[length, length];
            for (int tile = 0; tile < plan.TileCount; tile++)
            {
                for (int row = tile * 64; row < Math.Min(length, (tile + 1) * 64); row++)
                {
                    foreach (int key in Keys(plan, tile))
                    {
                        count[row, key]++;
                    }

                    Assert.True(Array.TrueForAll(verticals, v => v > row || count[row, v] == 1), $"seed {seed}, row {row}: columns");
                    Assert.True(Array.TrueForAll(slashes, s => s > row || count[row, row - s] == 1), $"seed {seed}, row {row}: offsets");
                }
            }

            Assert.DoesNotContain(count.Cast<int>(), c => c > 1);
        }
    }

    [Fact]
    public void Columns_lie_left_of_the_rows_and_ranges_overrun_a_tile_by_less_than_a_tile()
    {
        var random = new RandomSource("test/VerticalSlashPlan/overrun", 1);
        for (int i = 0; i < 50; i++)
        {
            int length = random.Next(200, 600);
            AttentionPlan plan = VerticalSlashPlan.Build(length, Choose(random, length, 30, []), Choose(random, length, 30, [0])).Plan;
            for (int tile = 0; tile < plan.TileCount; tile++)
            {
                Assert.All(plan.Columns[plan.ColumnOffsets[tile]..plan.ColumnOffsets[tile + 1]], c => Assert.InRange(c, 0, tile * 64));
                Assert.All(plan.Ranges[plan.RangeOffsets[tile]..plan.RangeOffsets[tile + 1]], r => Assert.InRange(r.End, 1, Math.Min(length, ((tile + 1) * 64) + 63)));
            }
        }
    }

    [Fact]
    public void Everything_selected_reports_the_references_slightly_negative_sparsity()
    {
        int[] all = [.. Enumerable.Range(0, 8192)];
        Assert.Equal(-0.0077, VerticalSlashPlan.Build(8192, all, all).NominalSparsity, 0.0001);
    }

    [Fact]
    public void Forced_offsets_alone_are_about_128_local_keys_a_tile()
    {
        int[] local = [.. Enumerable.Range(0, 64)];
        AttentionPlan plan = VerticalSlashPlan.Build(1024, [], local).Plan;
        Assert.Equal(new KeyRange(257, 385), plan.Ranges[5]);
    }

    private static IEnumerable<int> Keys(AttentionPlan plan, int tile) =>
        plan.Ranges[plan.RangeOffsets[tile]..plan.RangeOffsets[tile + 1]].SelectMany(r => Enumerable.Range(r.Start, r.Length))
            .Concat(plan.Columns[plan.ColumnOffsets[tile]..plan.ColumnOffsets[tile + 1]]);

    private static int[] Choose(RandomSource random, int length, int count, int[] forced)
    {
        int[] all = [.. Enumerable.Range(0, length)];
        random.Shuffle(all.AsSpan());
        return [.. forced.Concat(all).Distinct().Take(count).Order()];
    }
}
