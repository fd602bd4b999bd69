using System.Globalization;
using SparseFrontier.Experiments;

namespace SparseFrontier.Cli.Output;

/// <summary>All activities on one line.</summary>
internal static class ProgressLine
{
    /// <summary>"[ 42 %] 3 of 12 runs | Quest on Niah | sample 4 of 20, 35 s left" of activities from the outermost in.</summary>
    public static string Of(IReadOnlyList<ProgressUpdate> activities)
    {
        ProgressUpdate outer = activities[0];
        string percent = outer.Percent < 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"[{outer.Percent,3:F0} %] ");
        string line = percent + string.Join(" | ", activities.Select(a => a.Status.Length > 0 ? $"{a.Activity}: {a.Status}" : a.Activity));
        double? seconds = outer.SecondsRemaining ?? activities[^1].SecondsRemaining;
        return seconds is double left ? $"{line}, {Duration(left)} left" : line;
    }

    private static string Duration(double seconds)
    {
        var time = TimeSpan.FromSeconds(Math.Ceiling(Math.Min(seconds, 359_999)));
        return time.TotalHours >= 1
            ? string.Create(CultureInfo.InvariantCulture, $"{(int)time.TotalHours} h {time.Minutes:00} min")
            : time.TotalMinutes >= 1
                ? string.Create(CultureInfo.InvariantCulture, $"{time.Minutes} min {time.Seconds:00} s")
                : string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:F0} s");
    }
}
