using System.Diagnostics;
using SparseFrontier.Experiments;
using Xunit;

namespace SparseFrontier.Tests.Experiments;

public class ProgressThrottleTests
{
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
