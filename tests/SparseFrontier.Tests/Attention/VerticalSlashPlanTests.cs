using SparseFrontier.Attention;
using SparseFrontier.Kernels;
using SparseFrontier.Kernels.Reference;
using SparseFrontier.Tensors;
using Xunit;

namespace SparseFrontier.Tests.Attention;

public class VerticalSlashPlanTests
{
    [Fact]
    public void Plan_and_figure_are_those_of_the_references_lists()
    {
        for (int seed = 0; seed < 60; seed++)
        {
            var random = new RandomSource("test/VerticalSlashPlan", seed);
            int length = random.Next(1, 600);
            int[] verticals = Choose(random, length, random.Next(0, Math.Min(length, 40) + 1), []);
            int[] slashes = Choose(random, length, random.Next(1, Math.Min(length, 40) + 1), [0]);
            VerticalSlashPlan built = VerticalSlashPlan.Build(length, verticals, slashes);
            bool[,] expected = new bool[length, length];
            long executed = 0;
            for (int tile = 0; tile * 64 < length; tile++)
            {
                (List<int> blocks, List<int> columns) = ReferenceLists((tile + 1) * 64, verticals, [.. slashes.Reverse()]);
                executed += (64L * 64 * blocks.Count) + (64L * columns.Count);
                IEnumerable<int> keys = blocks.SelectMany(start => Enumerable.Range(start, 64)).Concat(columns);
                Assert.Equal(keys.Count(), keys.Distinct().Count());
                foreach (int key in keys)
                {
                    for (int row = Math.Max(key, tile * 64); row < Math.Min(length, (tile + 1) * 64); row++)
                    {
                        expected[row, key] = true;
                    }
                }
            }

            bool[,] mask = ReferenceMask.Create(built.Plan);
            Assert.Equal(expected.Cast<bool>(), mask.Cast<bool>());
            Assert.Equal(mask.Cast<bool>().Count(b => b), built.Plan.CountPairs());
            Assert.Equal(1 - (executed / (length * (length + 1.0) / 2)), built.NominalSparsity, 1e-12);
            for (int row = 0; row < length; row++)
            {
                Assert.All(verticals.Where(v => v <= row), v => Assert.True(mask[row, v]));
                Assert.All(slashes.Where(s => s <= row), s => Assert.True(mask[row, row - s]));
            }
        }
    }

    [Fact]
    public void Ranges_overrun_a_tile_by_less_than_a_tile()
    {
        var random = new RandomSource("test/VerticalSlashPlan/overrun", 1);
        for (int i = 0; i < 50; i++)
        {
            int length = random.Next(200, 600);
            AttentionPlan plan = VerticalSlashPlan.Build(length, Choose(random, length, 30, []), Choose(random, length, 30, [0])).Plan;
            for (int tile = 0; tile < plan.TileCount; tile++)
            {
                Assert.All(plan.Ranges[plan.RangeOffsets[tile]..plan.RangeOffsets[tile + 1]], r => Assert.InRange(r.End, 1, Math.Min(length, ((tile + 1) * 64) + 63)));
            }
        }
    }

    [Fact]
    public void The_papers_largest_budget_at_131072_tokens_fits_into_a_megabyte()
    {
        const int Length = 131072;
        const int Budget = 18432;
        var random = new RandomSource("test/VerticalSlashPlan/large");
        AttentionPlan plan = VerticalSlashPlan.Build(Length, Choose(random, Length, Budget, []), Choose(random, Length, Budget, [0])).Plan;
        Assert.Equal(Budget, plan.Columns.Length);
        Assert.InRange(plan.SizeInBytes, 4 * Budget, 1 << 20);
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

    // MInference's index conversion for one tile of 64 rows: blocks of 64 keys by first key, and columns outside them. Slashes descend.
    private static (List<int> Blocks, List<int> Columns) ReferenceLists(int end, int[] verticals, int[] slashes)
    {
        var blocks = new List<int>();
        var columns = new List<int>();
        int s = 0;
        while (slashes[s] >= end)
        {
            s++;
        }

        int v = 0;
        int rangeEnd = Math.Max(end - slashes[s++], 64);
        int rangeStart = rangeEnd - 64;
        while (true)
        {
            if (v < verticals.Length && verticals[v] < rangeEnd)
            {
                if (verticals[v] < rangeStart)
                {
                    columns.Add(verticals[v]);
                }

                v++;
                continue;
            }

            if (s < slashes.Length && Math.Max(end - slashes[s], 64) <= rangeEnd + 64)
            {
                rangeEnd += Math.Max(end - slashes[s++], 64) > rangeEnd ? 64 : 0;
                continue;
            }

            for (int block = rangeStart; block < rangeEnd; block += 64)
            {
                blocks.Add(block);
            }

            if (s == slashes.Length)
            {
                return (blocks, columns);
            }

            rangeEnd = Math.Max(end - slashes[s++], 64);
            rangeStart = rangeEnd - 64;
        }
    }

    private static int[] Choose(RandomSource random, int length, int count, int[] forced)
    {
        int[] all = [.. Enumerable.Range(0, length)];
        random.Shuffle(all.AsSpan());
        return [.. forced.Concat(all).Distinct().Take(count).Order()];
    }
}
