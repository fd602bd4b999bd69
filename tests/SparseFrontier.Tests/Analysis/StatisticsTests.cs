using SparseFrontier.Analysis;
using SparseFrontier.Tensors;
using Xunit;

namespace SparseFrontier.Tests.Analysis;

public class StatisticsTests
{
    [Theory]
    [InlineData(1, 12.7062)]
    [InlineData(2, 4.3027)]
    [InlineData(5, 2.5706)]
    [InlineData(10, 2.2281)]
    [InlineData(29, 2.0452)]
    [InlineData(30, 2.0423)]
    [InlineData(120, 1.9799)]
    [InlineData(10000, 1.9602)]
    public void Student_quantiles_equal_the_tables(int degreesOfFreedom, double expected) =>
        Assert.Equal(expected, Statistics.StudentQuantile975(degreesOfFreedom), 1e-4);

    [Fact]
    public void Mean_and_standard_error_are_those_of_the_values()
    {
        MeanInterval interval = Statistics.Interval([0.2, 0.4, 0.9], 0, 1);
        Assert.Equal(0.5, interval.Mean!.Value, 1e-12);
        Assert.Equal(Math.Sqrt(0.13 / 3), interval.StandardError!.Value, 1e-12);
        Assert.True(interval.Low < 0.5 && interval.High > 0.5);
    }

    [Fact]
    public void Nothing_and_one_value_have_honest_intervals()
    {
        Assert.Equal(new MeanInterval(0, null, null, null, null), Statistics.Interval([], 0, 1));
        MeanInterval one = Statistics.Interval([1], 0, 1);
        Assert.Equal((1, 1.0, null), (one.Count, one.Mean!.Value, one.StandardError));
        Assert.Equal((0, 1), (one.Low!.Value, one.High!.Value));
    }

    [Theory]
    [InlineData(10)]
    [InlineData(100)]
    public void Samples_that_all_agree_do_not_give_certainty(int count)
    {
        MeanInterval interval = Statistics.Interval([.. Enumerable.Repeat(1.0, count)], 0, 1);
        Assert.Equal(1, interval.High);
        Assert.InRange(interval.Low!.Value, 1 - (4.0 / count), 1 - (1.0 / count));
    }

    [Theory]
    [InlineData(20, 0.95, 1)]
    [InlineData(20, 0.5, 1)]
    [InlineData(100, 0.9, 1)]
    [InlineData(50, 0.5, 4)]
    public void Intervals_cover_the_truth_in_about_95_of_100_experiments(int count, double probability, int parts)
    {
        // Scores are shares of a number of parts, as of four queries.
        var random = new RandomSource("test/coverage", count, parts);
        int covered = 0;
        double width = 0;
        const int Experiments = 2000;
        double[] values = new double[count];
        for (int i = 0; i < Experiments; i++)
        {
            for (int k = 0; k < count; k++)
            {
                int hits = 0;
                for (int part = 0; part < parts; part++)
                {
                    hits += random.NextDouble() < probability ? 1 : 0;
                }

                values[k] = hits / (double)parts;
            }

            MeanInterval interval = Statistics.Interval(values, 0, 1);
            covered += interval.Low <= probability && interval.High >= probability ? 1 : 0;
            width += (interval.High - interval.Low)!.Value / Experiments;
        }

        Assert.InRange(covered / (double)Experiments, 0.93, 1);
        double normal = 2 * 1.96 * Math.Sqrt(probability * (1 - probability) / parts / count);
        Assert.InRange(width, 0.9 * normal, (count < 50 ? 2.0 : 1.25) * normal);
    }

    [Fact]
    public void A_paired_difference_is_sharper_than_the_two_means()
    {
        double[] dense = [.. Enumerable.Range(0, 100).Select(i => i % 2 == 0 ? 1.0 : 0.5)];
        double[] sparse = [.. dense.Select((d, i) => i % 4 == 0 ? d - 0.5 : d)];
        MeanInterval difference = Statistics.PairedDifference(dense, sparse);
        Assert.Equal(0.125, difference.Mean!.Value, 1e-12);
        Assert.True(difference.Low > 0.05 && difference.High < 0.2);
        Assert.Throws<ArgumentOutOfRangeException>(() => Statistics.PairedDifference([1], [1, 2]));
    }
}
