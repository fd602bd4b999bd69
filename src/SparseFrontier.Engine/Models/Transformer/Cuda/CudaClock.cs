using SparseFrontier.Kernels.Cuda;

namespace SparseFrontier.Models.Transformer.Cuda;

/// <summary>Measures parts of a GPU's work by events, and keeps what the work counts, without waiting between them; events are used again.</summary>
internal sealed class CudaClock(CudaDevice device) : IDisposable
{
    private readonly List<(CudaEvent Start, CudaEvent End, Action<double> Seconds)> _spans = [];
    private readonly List<(CudaMemory Counts, Action<long[]> Told)> _counts = [];
    private readonly Stack<CudaEvent> _idle = [];

    /// <summary>Runs what gives work to the device; the seconds that it takes there are told by <see cref="Read"/>.</summary>
    public void Time(Action<double> seconds, Action work)
    {
        CudaEvent start = Record();
        work();
        _spans.Add((start, Record(), seconds));
    }

    /// <summary>Takes counts that the work given so far writes; they are told, and freed, by <see cref="Read"/>.</summary>
    public void Count(CudaMemory counts, Action<long[]> told) => _counts.Add((counts, told));

    /// <summary>Waits for the work and tells its seconds and counts, each in the order of the work.</summary>
    public void Read()
    {
        foreach ((CudaEvent start, CudaEvent end, Action<double> seconds) in _spans)
        {
            seconds(end.MillisecondsSince(start) / 1000);
        }

        foreach ((CudaMemory counts, Action<long[]> told) in _counts)
        {
            told(counts.ToArray<long>());
        }

        Forget();
    }

    /// <summary>Drops what was not read.</summary>
    public void Forget()
    {
        foreach ((CudaEvent start, CudaEvent end, _) in _spans)
        {
            _idle.Push(start);
            _idle.Push(end);
        }

        _spans.Clear();
        _counts.ForEach(c => c.Counts.Dispose());
        _counts.Clear();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Forget();
        while (_idle.TryPop(out CudaEvent? idle))
        {
            idle.Dispose();
        }
    }

    private CudaEvent Record()
    {
        if (!_idle.TryPop(out CudaEvent? point))
        {
            return CudaEvent.Record(device);
        }

        point.RecordAgain();
        return point;
    }
}
