using System.Diagnostics;

namespace SparseFrontier.Experiments;

/// <summary>
/// Lets through at most five updates a second of each activity: drawing progress must not cost more than the work. The first and the last
/// update of an activity always pass. Not thread-safe.
/// </summary>
public sealed class ProgressThrottle
{
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(200);

    private readonly Dictionary<int, Activity> _open = [];

    /// <summary>Whether to show an update that arrives now.</summary>
    public bool Admit(ProgressUpdate update) => Admit(update, Stopwatch.GetTimestamp());

    /// <summary>Whether to show an update that arrives at a time, in ticks of <see cref="Stopwatch"/>.</summary>
    internal bool Admit(ProgressUpdate update, long timestamp)
    {
        if (update.Completed)
        {
            return _open.Remove(update.ActivityId);
        }

        if (_open.TryGetValue(update.ActivityId, out Activity? activity) && Stopwatch.GetElapsedTime(activity.Shown, timestamp) < s_interval)
        {
            return false;
        }

        _open[update.ActivityId] = new Activity(update.Activity, timestamp);
        return true;
    }

    /// <summary>Updates that complete all activities still open, innermost first.</summary>
    public IReadOnlyList<ProgressUpdate> Close()
    {
        ProgressUpdate[] updates =
            [.. _open.OrderByDescending(p => p.Key).Select(p => new ProgressUpdate(p.Key, p.Value.Name, "Done", 100, null, Completed: true))];
        _open.Clear();
        return updates;
    }

    private sealed record Activity(string Name, long Shown);
}
