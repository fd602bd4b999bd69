using System.Diagnostics;

namespace SparseFrontier.Kernels.Measurement;

/// <summary>One of several ways to do the same work, whose times are compared.</summary>
public sealed class Contender
{
    /// <summary>An action of this process, timed here.</summary>
    /// <param name="name">Name in tables, unique among the contenders.</param>
    /// <param name="action">The work of one call.</param>
    public Contender(string name, Action action)
        : this(name, calls => Time(action, calls))
    {
    }

    /// <summary>Work that times itself, such as that of another process.</summary>
    /// <param name="name">Name in tables, unique among the contenders.</param>
    /// <param name="sample">Does the work of the given number of calls and returns the seconds that they took together.</param>
    public Contender(string name, Func<int, double> sample)
    {
        Name = name;
        Sample = sample;
    }

    /// <summary>Name in tables.</summary>
    public string Name { get; }

    /// <summary>Does the work of the given number of calls and returns the seconds that they took together.</summary>
    public Func<int, double> Sample { get; }

    /// <summary>Floating-point operations of one call, a multiply-add counted as two; 0 where speed is not told in them.</summary>
    public double Operations { get; init; }

    /// <summary>Bytes of memory that one call must move; 0 where speed is not told in them.</summary>
    public double Bytes { get; init; }

    /// <summary>The process that does the work, whose threads' waiting counts too; 0 for this one.</summary>
    public int ProcessId { get; init; }

    /// <summary>Pause after each sample, so that a library's threads stop spinning before the next contender begins.</summary>
    public TimeSpan Rest { get; init; }

    private static double Time(Action action, int calls)
    {
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < calls; i++)
        {
            action();
        }

        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}
