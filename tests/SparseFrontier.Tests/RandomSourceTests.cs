using SparseFrontier.Tensors;
using Xunit;

namespace SparseFrontier.Tests;

public class RandomSourceTests
{
    [Fact]
    public void Adjacent_seeds_give_unrelated_streams()
    {
        var a = new RandomSource("x", 43, 1);
        var b = new RandomSource("x", 44, 0);
        Assert.NotEqual(a.NextUInt64(), b.NextUInt64());
    }

    [Fact]
    public void Integers_cover_their_range_evenly()
    {
        var random = new RandomSource("even", 1);
        int[] counts = new int[7];
        for (int i = 0; i < 70_000; i++)
        {
            counts[random.Next(7)]++;
        }

        Assert.All(counts, c => Assert.InRange(c, 9_600, 10_400));
    }
}
