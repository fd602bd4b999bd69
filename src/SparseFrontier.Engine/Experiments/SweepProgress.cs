using System.Diagnostics;
using System.Globalization;

namespace SparseFrontier.Experiments;

/// <summary>Progress of a sweep in samples: activity 1 the sweep, 2 the cell that runs, 3 its samples; at most five updates a second each.</summary>
internal sealed class SweepProgress(IPipelineSink sink, int totalSamples)
{
    private readonly ProgressThrottle _throttle = new();
    private readonly Stopwatch _stopwatch = Stopwatch.StartNew();
    private int _done;
    private int _computed;

    /// <summary>Samples that the store held already.</summary>
    public void Skip(int samples) => _done += samples;

    /// <summary>A cell begins.</summary>
    public void BeginCell(string cell) => Send(new ProgressUpdate(2, cell, "Preparing", 0));

    /// <summary>A calibration begins.</summary>
    public void Calibrating(string cell, string method) => Send(new ProgressUpdate(2, cell, $"Calibrating {method}", -1));

    /// <summary>A sample begins.</summary>
    public void BeginSample(string cell, int index, int count)
    {
        double percent = 100.0 * index / count;
        Send(new ProgressUpdate(2, cell, string.Create(CultureInfo.InvariantCulture, $"Sample {index + 1} of {count}"), percent));
        Send(new ProgressUpdate(3, "Sample", "Reading the prompt", -1));
    }

    /// <summary>A row is on the disk.</summary>
    public void Computed(string method)
    {
        _done++;
        _computed++;
        double remaining = _stopwatch.Elapsed.TotalSeconds / _computed * Math.Max(0, totalSamples - _done);
        Send(new ProgressUpdate(
            1,
            "Sparse-attention sweep",
            string.Create(CultureInfo.InvariantCulture, $"{_done} of {Counted.Of(totalSamples, "sample")}"),
            totalSamples > 0 ? Math.Min(100, 100.0 * _done / totalSamples) : 100,
            remaining));
        Send(new ProgressUpdate(3, "Sample", method, -1));
    }

    /// <summary>The sweep has ended, or was stopped.</summary>
    public void End()
    {
        foreach (ProgressUpdate update in _throttle.Close())
        {
            sink.Progress(update);
        }
    }

    private void Send(ProgressUpdate update)
    {
        if (_throttle.Admit(update))
        {
            sink.Progress(update);
        }
    }
}
