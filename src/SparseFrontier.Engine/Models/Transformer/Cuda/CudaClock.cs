using SparseFrontier.Kernels.Cuda;

namespace SparseFrontier.Models.Transformer.Cuda;

/// <summary>Measures parts of a GPU's work by events, without waiting between them.</summary>
internal sealed class CudaClock(CudaDevice device) : IDisposable
{
    private readonly List<(CudaEvent Start, CudaEvent End, Action<double> Seconds)> _spans = [];

    /// <summary>Runs what gives work to the device; the seconds that it takes there are told by <see cref="Read"/>.</summary>
    public void Time(Action<double> seconds, Action work)
    {
        CudaEvent start = CudaEvent.Record(device);
        work();
        _spans.Add((start, CudaEvent.Record(device), seconds));
    }

    /// <summary>Waits for the work and tells its seconds.</summary>
    public void Read()
    {
        foreach ((CudaEvent start, CudaEvent end, Action<double> seconds) in _spans)
        {
            seconds(end.MillisecondsSince(start) / 1000);
        }

        Dispose();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach ((CudaEvent start, CudaEvent end, _) in _spans)
        {
            start.Dispose();
            end.Dispose();
        }

        _spans.Clear();
    }
}
