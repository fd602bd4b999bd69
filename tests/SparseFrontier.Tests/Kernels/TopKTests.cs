using SparseFrontier.Kernels;
using SparseFrontier.Tensors;
using Xunit;

namespace SparseFrontier.Tests.Kernels;

public class TopKTests
{
    private static readonly float[] s_special = [float.PositiveInfinity, float.NegativeInfinity, float.NaN, 0f, -0f, float.Epsilon, -float.Epsilon, float.MaxValue];

    [Fact]
    public void Agrees_with_a_stable_sort_on_random_scores()
    {
        var random = new RandomSource("top-k");
        for (int trial = 0; trial < 400; trial++)
        {
            int length = random.Next(1, trial % 10 == 0 ? 3000 : 90);
            int kind = random.Next(4);
            float[] scores = new float[length];
            for (int i = 0; i < length; i++)
            {
                scores[i] = kind switch
                {
                    0 => (float)random.NextNormal(),
                    1 => random.Next(4),
                    2 => random.Next(3) == 0 ? random.Choose(s_special) : (float)random.NextNormal(),
                    _ => 0.25f,
                };
            }

            int count = random.Next(0, length + 3);
            Assert.Equal(Ordered(scores).Take(count).Order(), TopK.Select(scores, count));
            Assert.Equal(Ordered(scores), TopK.Order(scores));
        }
    }

    [Fact]
    public void Negative_zero_ties_with_zero() => Assert.Equal([0, 1], TopK.Select([-0f, 0f, -0f, -1f], 2));

    [Fact]
    public void Infinity_is_first_and_not_a_number_last()
    {
        Assert.Equal([2], TopK.Select([1f, float.NaN, float.PositiveInfinity], 1));
        Assert.Equal([0, 2], TopK.Select([float.NegativeInfinity, float.NaN, 1f], 2));
    }

    [Fact]
    public void Zero_negative_and_excessive_counts()
    {
        Assert.Empty(TopK.Select([1f, 2f], 0));
        Assert.Empty(TopK.Select([1f, 2f], -1));
        Assert.Empty(TopK.Select([], 4));
        Assert.Empty(TopK.Order([]));
        Assert.Equal([0, 1], TopK.Select([1f, 2f], 5));
        Assert.Throws<ArgumentException>(() => TopK.Select([1f], new int[2]));
    }

    private static IEnumerable<int> Ordered(float[] scores) =>
        Enumerable.Range(0, scores.Length)
            .OrderByDescending(i => float.IsNaN(scores[i]) ? 0 : 1)
            .ThenByDescending(i => float.IsNaN(scores[i]) ? 0 : scores[i])
            .ThenBy(i => i);
}
