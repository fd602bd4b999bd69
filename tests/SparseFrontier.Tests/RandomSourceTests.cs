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

    [Fact]
    public void A_stream_of_an_index_is_the_same_wherever_it_is_asked_for_and_like_no_other()
    {
        var random = new RandomSource("streams", 1);
        RandomState before = random.State;
        double[][] streams = [.. Enumerable.Range(0, 500).Select(i => Draw(random.At(i)))];
        Assert.Equal(before, random.State);
        Assert.Equal(streams[7], Draw(new RandomSource("streams", 1).At(7)));
        Assert.Equal(500 * 20, streams.SelectMany(s => s).Distinct().Count());
        Assert.InRange(streams.Average(s => s[0]), 0.45, 0.55);
        Assert.InRange(streams.Zip(streams.Skip(1)).Average(p => (p.First[0] - 0.5) * (p.Second[0] - 0.5)), -0.015, 0.015);

        static double[] Draw(RandomSource source) => [.. Enumerable.Range(0, 20).Select(_ => source.NextDouble())];
    }
}
