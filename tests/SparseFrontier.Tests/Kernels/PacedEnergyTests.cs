using SparseFrontier.Kernels.Measurement;
using Xunit;

namespace SparseFrontier.Tests.Kernels;

/// <summary>A counter that is asked seldom; time and answers are given.</summary>
public class PacedEnergyTests
{
    [Fact]
    public void Power_goes_on_between_answers_and_a_long_piece_of_work_is_measured()
    {
        var clock = new ManualTime();
        var meter = new Meter(clock) { Watts = 100 };
        var paced = new PacedEnergy(meter, clock);
        double start = paced.ReadJoules();

        // After a pause whoever asks waits for the answer.
        clock.Advance(2);
        Assert.Equal(200, paced.ReadJoules() - start, 1e-9);
        Assert.Equal(2, meter.Answers);

        // Steps of two milliseconds share what the power gives, without an answer each.
        double sum = 0;
        for (int step = 0; step < 50; step++)
        {
            double before = paced.ReadJoules();
            clock.Advance(0.002);
            sum += paced.ReadJoules() - before;
        }

        Assert.Equal(10, sum, 1e-9);
        Assert.Equal(2, meter.Answers);
    }

    [Fact]
    public async Task Answers_come_beside_the_work_and_what_is_told_never_falls()
    {
        var clock = new ManualTime();
        var meter = new Meter(clock) { Watts = 300 };
        var paced = new PacedEnergy(meter, clock);
        paced.ReadJoules();
        clock.Advance(2);
        double told = paced.ReadJoules();
        meter.Watts = 50;
        for (int step = 0; step < 40; step++)
        {
            clock.Advance(0.05);
            double next = paced.ReadJoules();
            Assert.True(next >= told);
            told = next;

            // As long as a counter takes.
            await Task.Delay(5, TestContext.Current.CancellationToken);
        }

        Assert.InRange(meter.Answers, 3, 12);

        // 2 s at 300 W, then 2 s at 50 W: off by no more than the time from one answer to the next, which is a second at most.
        Assert.InRange(told, 700, 700 + (250 * 1.05));
    }

    private sealed class ManualTime : TimeProvider
    {
        private long _ticks = 1;

        public double Seconds => (_ticks - 1) / 1e6;

        public override long TimestampFrequency => 1_000_000;

        public override long GetTimestamp() => _ticks;

        public void Advance(double seconds) => _ticks += (long)Math.Round(seconds * 1e6);
    }

    private sealed class Meter(ManualTime clock) : EnergyCounter
    {
        private double _joules;
        private double _since;
        private double _watts;

        public int Answers { get; private set; }

        public double Watts
        {
            get => _watts;
            set
            {
                _joules += _watts * (clock.Seconds - _since);
                _since = clock.Seconds;
                _watts = value;
            }
        }

        public override double ReadJoules()
        {
            Answers++;
            return _joules + (_watts * (clock.Seconds - _since));
        }
    }
}
