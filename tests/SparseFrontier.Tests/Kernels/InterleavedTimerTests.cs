using SparseFrontier.Kernels.Measurement;
using SparseFrontier.Tensors;
using Xunit;

namespace SparseFrontier.Tests.Kernels;

/// <summary>The timing core with contenders that say themselves how long they took, so that nothing depends on the machine's speed.</summary>
public class InterleavedTimerTests
{
    [Fact]
    public void Ratios_compare_samples_of_the_same_round()
    {
        // The clock slows down by 10 % a round for both: the ratio stays exact.
        var order = new List<string>();
        IReadOnlyList<TimingResult> results = new InterleavedTimer { Rounds = 3, SampleSeconds = 1, Waited = _ => 0 }.Run(
            [Fake("slow", 6, order), Fake("fast", 2, order)], "slow");
        Assert.Equal(1, results[0].Ratio!.Value, 1e-12);
        Assert.Equal(3, results[1].Ratio!.Value, 1e-12);
        Assert.Equal(3, results[1].LowerQuartileRatio!.Value, 1e-12);
        Assert.Equal(2 * 1.1 * 1.1, results[1].MinimumSeconds, 1e-9);
        Assert.Equal(2 * Math.Pow(1.1, 3), results[1].MedianSeconds, 1e-9);
        Assert.Equal(["slow", "fast", "slow", "fast", "slow", "fast"], order[4..]);
    }

    [Fact]
    public void A_sample_that_waited_for_a_core_is_repeated()
    {
        // The clock says 1, 1 to calibrate, then 5 while threads wait for half of it, then 1 undisturbed.
        var seconds = new Queue<double>([1, 1, 5, 1, 1]);
        double waited = 0;
        var timer = new InterleavedTimer { Rounds = 2, SampleSeconds = 1, Waited = _ => waited };
        TimingResult result = Assert.Single(timer.Run([new Contender("a", _ => { double next = seconds.Dequeue(); waited += next == 5 ? 2.5 : 0; return next; })], "a"));
        Assert.Equal((1, 1, 0), (result.MedianSeconds, result.Repeated, result.Disturbed));
        Assert.Empty(seconds);
    }

    [Fact]
    public void Short_calls_share_a_sample()
    {
        TimingResult result = Assert.Single(new InterleavedTimer { Rounds = 2, SampleSeconds = 0.02, Waited = _ => 0 }.Run([new Contender("a", calls => calls * 0.003)], "a"));
        Assert.Equal(7, result.CallsPerSample);
        Assert.Equal(0.003, result.MedianSeconds, 1e-12);
        Assert.Equal(0, result.Disturbed);
    }

    [Fact]
    public void Rates_are_compared_with_the_roof()
    {
        IReadOnlyList<TimingResult> results = new InterleavedTimer { Rounds = 2, SampleSeconds = 1, Waited = _ => 0 }.Run(
            [new Contender("roof", calls => calls * 1.0) { Operations = 8e9 }, new Contender("kernel", calls => calls * 2.0) { Operations = 12e9 }], "kernel", "roof");
        Assert.Equal(0.75, results[1].ShareOfRoof!.Value, 1e-12);
        Assert.Equal(6, results[1].GigaOperationsPerSecond, 1e-9);
        Assert.Null(results[0].Ratio);
        Assert.Null(results[0].ShareOfRoof);
    }

    [Theory]
    [InlineData("b", null)]
    [InlineData("a", "b")]
    public void An_unknown_baseline_is_refused(string baseline, string? roof) =>
        Assert.Throws<ArgumentException>(() => new InterleavedTimer().Run([new Contender("a", () => { })], baseline, roof));

    [Fact]
    public void Quantiles_are_linear_between_samples()
    {
        Assert.Equal(2.5, InterleavedTimer.Quantile([4, 1, 3, 2], 0.5));
        Assert.Equal(1.75, InterleavedTimer.Quantile([4, 1, 3, 2], 0.25));
        Assert.Equal(5, InterleavedTimer.Quantile([5], 0.75));
    }

    [Fact]
    public void Roofs_do_the_work_that_they_count()
    {
        using var source = new NativeArray<byte>((1 << 18) + 77);
        using var target = new NativeArray<byte>(source.Length);
        source.Span.Fill(3);
        Contender copy = MachineRoofs.Copy("copy", source, target);
        Assert.True(copy.Sample(1) > 0);
        Assert.True(source.Span.SequenceEqual(target.Span));
        Assert.Equal(2.0 * source.Length, copy.Bytes);
        Contender read = MachineRoofs.Read("read", source);
        Assert.True(read.Sample(1) > 0);
        Assert.Equal(source.Length, read.Bytes);
    }

    // The first two calls of a contender calibrate it; each later one is a round.
    private static Contender Fake(string name, double seconds, List<string> order)
    {
        int call = 0;
        return new Contender(name, calls =>
        {
            order.Add(name);
            return calls * seconds * Math.Pow(1.1, call++);
        });
    }
}
