using System.Text.Json;
using SparseFrontier.Analysis;
using SparseFrontier.Tensors;
using Xunit;

namespace SparseFrontier.Tests.Analysis;

/// <summary>Statistics against scipy, statsmodels and numpy (tests/golden/statistics.py).</summary>
public class StatisticsGoldenTests
{
    private static readonly JsonElement s_golden = JsonDocument.Parse(Fixtures.Decompress("statistics.json.br")).RootElement;

    [Fact]
    public void Normal_distribution() => Assert.All(Cases("normal"), c =>
    {
        Close(c, "p", SpecialFunctions.NormalCumulative(Number(c, "z")), 1e-13);
        Assert.Equal(Number(c, "z"), SpecialFunctions.NormalQuantile(Number(c, "p")), 1e-6);
    });

    [Fact]
    public void Student_distribution() => Assert.All(Cases("student"), c =>
    {
        Close(c, "p", SpecialFunctions.StudentCumulative(Number(c, "t"), Number(c, "df")), 1e-11);
        Assert.Equal(Number(c, "p"), SpecialFunctions.StudentCumulative(SpecialFunctions.StudentQuantile(Number(c, "p"), Number(c, "df")), Number(c, "df")), 1e-12);
    });

    [Fact]
    public void The_older_quantile_agrees() => Assert.All(
        [1, 2, 7, 30, 400], df => Assert.Equal(SpecialFunctions.StudentQuantile(0.975, df), Statistics.StudentQuantile975(df), 1e-9));

    [Fact]
    public void Beta_distribution() => Assert.All(
        Cases("beta"), c => Close(c, "p", SpecialFunctions.IncompleteBeta(Number(c, "x"), Number(c, "a"), Number(c, "b")), 1e-11));

    [Fact]
    public void Noncentral_distribution() => Assert.All(
        Cases("noncentral"), c => Close(c, "p", SpecialFunctions.NoncentralStudentCumulative(Number(c, "t"), Number(c, "df"), Number(c, "nc")), 1e-9));

    [Fact]
    public void Power_and_the_samples_it_needs()
    {
        Assert.All(Cases("power"), c => Assert.Equal(Number(c, "power"), Power.OfTest(Number(c, "effect"), Number(c, "n"), Number(c, "alpha")), 1e-8));
        Assert.All(Cases("needed"), c => Assert.Equal(1, Power.SamplesNeeded(Number(c, "effect"), Number(c, "alpha"), Number(c, "power")) / Number(c, "n"), 1e-6));
        Assert.Equal(double.PositiveInfinity, Power.SamplesNeeded(0, 0.05, 0.8));
        Assert.Equal(double.PositiveInfinity, Power.SamplesNeeded(1e-5, 0.05, 0.8));
    }

    [Fact]
    public void Holms_adjustment() => Assert.All(Cases("holm"), c => Assert.Equal(Numbers(c, "adjusted"), MultipleTests.Holm(Numbers(c, "p")), Same));

    [Fact]
    public void Series_of_one_hypothesis_are_Holms_procedure()
    {
        var random = new RandomSource("test/sequences");
        for (int round = 0; round < 200; round++)
        {
            double[] p = [.. Enumerable.Range(0, 1 + random.Next(7)).Select(_ => random.NextDouble() * random.NextDouble() * 0.1)];
            bool[] expected = [.. MultipleTests.Holm(p).Select(a => a < 0.05)];
            Assert.Equal(expected, MultipleTests.Sequences([.. p.Select(v => (IReadOnlyList<double>)[v])], 0.05).Select(s => s.Claimed == 1));
        }
    }

    [Fact]
    public void A_series_stops_at_its_first_failure_and_passes_its_share_on_when_it_ends()
    {
        Assert.Equal([(1, 0.05)], MultipleTests.Sequences([[0.04, 0.06, 0.001]], 0.05));

        // The first series ends and passes its half on, without which the second would stop at 0.03.
        Assert.Equal([(2, 0), (2, 0.05)], MultipleTests.Sequences([[0.01, 0.02], [0.03, 0.04, 0.2]], 0.05));
        Assert.Equal([(1, 0.025), (0, 0.025)], MultipleTests.Sequences([[0.01, 0.03], [0.03, 0.04]], 0.05));
    }

    [Fact]
    public void Bound_of_a_bounded_mean() => Assert.All(Cases("bound"), c =>
    {
        double[] values = Numbers(c, "values");
        double bound = BoundedMean.UpperBound(values, Number(c, "maximum"), Number(c, "confidence"));
        Assert.Equal(Number(c, "bound"), bound, Number(c, "tolerance"));

        // The p value is the level at which the bound touches the threshold.
        Assert.Equal(0.05, BoundedMean.PValue(values, Number(c, "maximum"), bound), 1e-9);
        Assert.True(BoundedMean.PValue(values, Number(c, "maximum"), bound + 0.01) < 0.05);
    });

    [Fact]
    public void Samples_needed_are_those_whose_bound_reaches_the_threshold()
    {
        // No loss in n samples excludes a share of 5 % when 0.95^n < 0.05.
        Assert.Equal(59, BoundedMean.SamplesNeeded(new double[20], 1, 0.05, 0.95));
        Assert.Equal(299, BoundedMean.SamplesNeeded(new double[20], 1, 0.01, 0.95));
        Assert.Null(BoundedMean.SamplesNeeded([0, 1], 1, 0.05, 0.95));
        double[] twice = [.. Enumerable.Range(0, 50).Select(i => i == 0 ? 1.0 : 0)];
        int needed = BoundedMean.SamplesNeeded(twice, 1, 0.05, 0.95)!.Value;
        Assert.InRange(needed, 150, 250);
    }

    [Theory]
    [InlineData(20, 0.05)]
    [InlineData(20, 0.3)]
    [InlineData(100, 0.02)]
    [InlineData(100, 0.05)]
    public void The_bound_holds_its_level(int n, double share)
    {
        // Losses of one quarter and of one, rare gains: the true mean is share * 0.5.
        var random = new RandomSource("test/coverage", n, (long)(share * 1000));
        const int Rounds = 500;
        int missed = 0;
        for (int round = 0; round < Rounds; round++)
        {
            double[] values = [.. Enumerable.Range(0, n).Select(_ => random.NextDouble() < share ? (random.Next(2) == 0 ? 1 : random.Next(2) == 0 ? 0.25 : -0.25) : 0)];
            missed += BoundedMean.PValue(values, 1, share * 0.5) < 0.05 ? 1 : 0;
        }

        // 5 % with three standard errors of the simulation.
        Assert.InRange(missed / (double)Rounds, 0, 0.05 + (3 * Math.Sqrt(0.05 * 0.95 / Rounds)));
    }

    [Fact]
    public void Paired_bootstrap()
    {
        JsonElement golden = s_golden.GetProperty("bootstrap");
        double[] first = Numbers(golden, "first");
        double[] second = Numbers(golden, "second");
        double[][] means = PairedBootstrap.Means([first, second], 20_000);
        (double low, double high) = PairedBootstrap.Interval(means.Select(m => m[0] - m[1]));
        double tolerance = 0.05 * Number(golden, "error");
        Assert.Equal(Number(golden, "low"), low, tolerance);
        Assert.Equal(Number(golden, "high"), high, tolerance);
        Assert.Equal(PairedBootstrap.Means([first], 10), PairedBootstrap.Means([first], 10));
        Assert.Throws<ArgumentException>(() => PairedBootstrap.Means([first, first[1..]]));
    }

    [Fact]
    public void Order_statistics_are_interpolated() => Assert.Equal((0.25, 3.75), PairedBootstrap.Interval([4, 0, 2, 1, 3], 0.875));

    private static JsonElement[] Cases(string name) => [.. s_golden.GetProperty(name).EnumerateArray()];

    private static double Number(JsonElement element, string name) => element.GetProperty(name).GetDouble();

    private static double[] Numbers(JsonElement element, string name) => [.. element.GetProperty(name).EnumerateArray().Select(v => v.GetDouble())];

    private static bool Same(double first, double second) => Math.Abs(first - second) < 1e-14;

    private static void Close(JsonElement golden, string name, double actual, double tolerance)
    {
        double expected = Number(golden, name);
        Assert.True(Math.Abs(actual - expected) <= tolerance * Math.Max(Math.Abs(expected), 1e-3), $"{golden}: {actual:R}");
    }
}
