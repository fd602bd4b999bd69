using SparseFrontier.Analysis;
using SparseFrontier.Experiments.Findings;
using SparseFrontier.Tensors;
using Xunit;

namespace SparseFrontier.Tests.Analysis;

/// <summary>Samples that are named decide a claim as often as is said of them: what was observed is taken for the truth, and drawn from again.</summary>
public sealed class FindingPowerTests
{
    private const double Level = 0.0025;

    public static TheoryData<string, bool> Claims => new()
    {
        { "over", true }, { "not over", false }, { "of two tasks far apart", false }, { "rare losses", true }, { "every one of three", true }, { "one of three", true }, { "either side", false },
    };

    [Theory]
    [MemberData(nameof(Claims))]
    public void As_many_samples_as_are_named_decide_a_claim_four_times_of_five(string claim, bool isDecidedByMore)
    {
        (double[][][] observed, Func<FindingTest[], (FindingSide, FindingSide)> sides) = Observed(claim);
        FindingTest[] tests = Tests(observed);
        int now = observed[0][0].Length;
        (FindingSide agrees, FindingSide against) = sides(tests);
        Assert.True(agrees.PValue >= Level && against.PValue >= Level, "what is decided needs no more samples");
        int needed = FindingPower.SamplesNeeded((agrees, Level), (against, Level))!.Value;
        Assert.True(needed > now, $"{needed} a run is not more than {now}");
        Assert.InRange(Share(needed), 0.72, 0.88);
        Assert.InRange(Share(now), 0, 0.7);
        if (isDecidedByMore)
        {
            Assert.InRange(Share(2 * needed), 0.93, 1);
        }

        double Share(int samples)
        {
            var random = new RandomSource("tests/finding-power", samples);
            int decided = 0;
            const int Draws = 300;
            for (int i = 0; i < Draws; i++)
            {
                // One draw of the questions of a task for every difference in it.
                int[][] drawn = [.. observed[0].Select(task => Enumerable.Range(0, samples).Select(_ => random.Next(task.Length)).ToArray())];
                (FindingSide first, FindingSide second) = sides(Tests([.. observed.Select(test => test.Select((task, s) => drawn[s].Select(index => task[index]).ToArray()).ToArray())]));
                decided += first.PValue < Level || second.PValue < Level ? 1 : 0;
            }

            return (double)decided / Draws;
        }
    }

    [Fact]
    public void Samples_that_all_agree_need_what_the_bound_needs()
    {
        FindingTest[] tests = Tests([[[.. Enumerable.Repeat(0.0, 20)]]]);
        int needed = FindingPower.SamplesNeeded((FindingSide.Above(0, tests), Level), (FindingSide.Below(0.03, tests), Level))!.Value;

        // n values of 0 and one of 1: the share above 0.03 is 0.97^n.
        Assert.Equal((int)Math.Floor(Math.Log(Level) / Math.Log(0.97)) + 1, needed, 2.0);
    }

    [Fact]
    public void What_no_number_decides_has_none()
    {
        // One choice is above the difference that is looked for, another below none: neither side ends up true.
        FindingTest[] tests = Tests([[Spread(0.1, 50, 1)], [Spread(-0.1, 50, 2)]]);
        Assert.Null(FindingPower.SamplesNeeded((FindingSide.Above(0, tests), Level), (FindingSide.Below(0.03, tests), Level)));
        Assert.NotNull(FindingPower.SamplesNeeded((FindingSide.Above(0, tests) with { IsEvery = false }, Level), (FindingSide.Below(0.03, tests), Level)));
    }

    [Theory]
    [InlineData(new double[] { }, 0.05)]
    [InlineData(new[] { 0.5, 0.9 }, 0.05 / 3)]
    [InlineData(new[] { 0.9, 0.001 }, 0.05 / 2)]
    [InlineData(new[] { 0.02, 0.001 }, 0.05)]
    [InlineData(new[] { 0.04, 0.04, 0.001 }, 0.05 / 3)]
    public void The_level_of_one_more_is_that_of_Holm(double[] others, double level)
    {
        Assert.Equal(level, MultipleTests.HolmLevel(others, 0.05), 1e-12);
        Assert.True(MultipleTests.Holm([level * 0.999, .. others])[0] < 0.05);
        Assert.True(MultipleTests.Holm([level * 1.001, .. others])[0] >= 0.05);
    }

    private static (double[][][] Observed, Func<FindingTest[], (FindingSide, FindingSide)> Sides) Observed(string claim) => claim switch
    {
        "over" => ([[Spread(0.06, 60, 3)]], t => (FindingSide.Above(0, t), FindingSide.Below(0.03, t))),
        "not over" => ([[Spread(-0.01, 40, 4)]], t => (FindingSide.Below(0.03, t), FindingSide.Above(0, t))),
        "of two tasks far apart" => ([[Spread(0.3, 12, 5), Spread(-0.2, 12, 6)]], t => (FindingSide.Above(0, t), FindingSide.Below(0.03, t))),
        "rare losses" => ([[[.. Enumerable.Range(0, 100).Select(i => i == 0 ? -1.0 : 0)]]], t => (FindingSide.Above(-0.03, t), FindingSide.Below(0, t))),
        "every one of three" => ([[Spread(0.02, 60, 7)], [Spread(0.03, 60, 8)], [Spread(0.025, 60, 7)]], t => (FindingSide.Above(-0.03, t), FindingSide.Below(0, t) with { IsEvery = false })),
        "one of three" => ([[Spread(-0.05, 60, 9)], [Spread(-0.04, 60, 10)], [Spread(0.01, 60, 11)]], t => (FindingSide.Above(-0.03, t), FindingSide.Below(0, t) with { IsEvery = false })),
        _ => ([[Spread(0.015, 50, 12)]], t => (FindingSide.Above(0, t), FindingSide.Below(0.03, t))),
    };

    // Differences of quarters, most of them 0, with a mean as near as one quarter of one sample.
    private static double[] Spread(double mean, int n, long seed)
    {
        var random = new RandomSource("tests/finding-power/observed", seed);
        double[] values = [.. Enumerable.Range(0, n).Select(_ => random.Next(3) > 0 ? 0 : (random.Next(5) - 2) / 4.0)];
        for (int i = 0; Math.Abs(values.Average() - mean) > 0.125 / n && i < 1000; i++)
        {
            int at = random.Next(n);
            values[at] = Math.Clamp(values[at] + (values.Average() < mean ? 0.25 : -0.25), -1, 1);
        }

        return values;
    }

    private static FindingTest[] Tests(double[][][] values) =>
        [.. values.Select(test => new FindingTest([.. test.SelectMany(t => t)], 1, [.. test.SelectMany((task, s) => task.Select((_, i) => ($"{s}", 2048, 43L, "", i)))], test.Min(t => t.Length), test.Max(t => t.Length)))];
}
