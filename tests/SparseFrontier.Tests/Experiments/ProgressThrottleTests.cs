using System.Diagnostics;
using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Operations;
using Xunit;

namespace SparseFrontier.Tests.Experiments;

public class ProgressThrottleTests
{
    [Fact]
    public void Time_that_is_left_follows_from_the_pace_so_far()
    {
        Assert.Equal(new ProgressUpdate(1, "a", "b", 25, 30), ProgressUpdate.At("a", "b", 0.25, TimeSpan.FromSeconds(10)));
        Assert.Equal(new ProgressUpdate(1, "a", "b", 0), ProgressUpdate.At("a", "b", 0, TimeSpan.FromSeconds(10)));
        var sink = new RecordingSink();
        new TestKernelCorrectnessOperation { Kernel = ["PageScores"] }.Execute(sink, TestContext.Current.CancellationToken);
        Assert.Null(sink.Updates[0].SecondsRemaining);
        Assert.All(sink.Updates[1..^1], u => Assert.InRange(u.SecondsRemaining!.Value, 0, 3600));
        Assert.True(sink.Updates.Count > 3 && sink.Updates[^1].Completed);
    }

    [Fact]
    public void Five_updates_a_second_pass()
    {
        var throttle = new ProgressThrottle();
        int passed = Enumerable.Range(0, 1000).Count(ms => throttle.Admit(Update(1), ms * Stopwatch.Frequency / 1000));
        Assert.Equal(5, passed);
    }

    [Fact]
    public void Activities_are_throttled_apart_and_their_ends_always_pass()
    {
        var throttle = new ProgressThrottle();
        Assert.True(throttle.Admit(Update(1), 0));
        Assert.True(throttle.Admit(Update(2), 0));
        Assert.False(throttle.Admit(Update(2), 1));
        Assert.True(throttle.Admit(Update(2, completed: true), 2));
        Assert.False(throttle.Admit(Update(2, completed: true), 3));
        Assert.True(throttle.Admit(Update(2), 4));
    }

    [Fact]
    public void Closing_completes_what_is_open_innermost_first()
    {
        var throttle = new ProgressThrottle();
        throttle.Admit(Update(1), 0);
        throttle.Admit(Update(3), 0);
        throttle.Admit(Update(2), 0);
        throttle.Admit(Update(2, completed: true), 0);
        Assert.Equal([3, 1], throttle.Close().Select(u => u.ActivityId));
        Assert.Empty(throttle.Close());
    }

    private static ProgressUpdate Update(int id, bool completed = false) => new(id, "activity", "status", 1, null, completed);
}
