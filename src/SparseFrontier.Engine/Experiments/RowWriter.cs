using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;

namespace SparseFrontier.Experiments;

/// <summary>
/// Puts rows on the disk while others are computed. A disk takes as long for one row as for several, so runs are written side by side, and what waits of one run goes to the
/// disk at once. A row counts, and is told, when the disk has it. Calls come from one thread, and so does what is told.
/// </summary>
internal sealed class RowWriter : IDisposable
{
    private const int MostThreads = 8;

    // Rows that wait for a thread; whoever adds more waits as well, so that the disk is not left far behind.
    private const int MostWaiting = 64;

    private readonly Action<ActiveRun, SampleResult> _told;
    private readonly BlockingCollection<(ActiveRun Run, SampleResult Row)>[] _waiting;
    private readonly Thread[] _threads;
    private readonly Dictionary<ActiveRun, int> _threadOf = new(ReferenceEqualityComparer.Instance);
    private readonly BlockingCollection<(ActiveRun Run, SampleResult Row, ExceptionDispatchInfo? Failure)> _done = [];
    private int _underWay;

    /// <summary>Starts threads.</summary>
    /// <param name="runs">Runs that there will be rows of.</param>
    /// <param name="told">Told each row that is on the disk.</param>
    public RowWriter(int runs, Action<ActiveRun, SampleResult> told)
    {
        _told = told;
        _waiting = [.. Enumerable.Range(0, Math.Clamp(runs, 1, MostThreads)).Select(_ => new BlockingCollection<(ActiveRun Run, SampleResult Row)>(MostWaiting))];
        _threads = Array.ConvertAll(_waiting, waiting => new Thread(() => Write(waiting)) { IsBackground = true, Name = "Rows" });
        Array.ForEach(_threads, t => t.Start());
    }

    /// <summary>Takes a row, and tells those that were written meanwhile.</summary>
    /// <exception cref="SparseFrontierException">ResultWriteFailed, of this row or an earlier one.</exception>
    public void Add(ActiveRun run, SampleResult row)
    {
        // A run's rows stay in their order.
        if (!_threadOf.TryGetValue(run, out int thread))
        {
            _threadOf[run] = thread = _threadOf.Count % _threads.Length;
        }

        run.Take(row);
        _underWay++;
        _waiting[thread].Add((run, row));
        while (_done.TryTake(out (ActiveRun Run, SampleResult Row, ExceptionDispatchInfo? Failure) done))
        {
            Tell(done);
        }
    }

    /// <summary>Waits until all rows are on the disk, and tells them.</summary>
    /// <exception cref="SparseFrontierException">ResultWriteFailed.</exception>
    public void Drain()
    {
        while (_underWay > 0)
        {
            Tell(_done.Take());
        }
    }

    /// <summary>Waits for the rows that were taken and tells those that the disk has.</summary>
    public void Dispose()
    {
        Array.ForEach(_waiting, w => w.CompleteAdding());
        Array.ForEach(_threads, t => t.Join());
        while (_done.TryTake(out (ActiveRun Run, SampleResult Row, ExceptionDispatchInfo? Failure) done))
        {
            if (done.Failure is null)
            {
                Tell(done);
            }
        }

        Array.ForEach(_waiting, w => w.Dispose());
        _done.Dispose();
    }

    private void Tell((ActiveRun Run, SampleResult Row, ExceptionDispatchInfo? Failure) done)
    {
        _underWay--;
        done.Failure?.Throw();
        _told(done.Run, done.Row);
    }

    private void Write(BlockingCollection<(ActiveRun Run, SampleResult Row)> waiting)
    {
        var taken = new List<(ActiveRun Run, SampleResult Row)>();
        foreach ((ActiveRun Run, SampleResult Row) first in waiting.GetConsumingEnumerable())
        {
            taken.Add(first);
            while (waiting.TryTake(out (ActiveRun Run, SampleResult Row) next))
            {
                taken.Add(next);
            }

            foreach (var same in taken.GroupBy(t => t.Run))
            {
                SampleResult[] rows = [.. same.Select(t => t.Row)];
                ExceptionDispatchInfo? failure = null;
                try
                {
                    same.Key.Write(rows);
                }
                catch (Exception e)
                {
                    failure = ExceptionDispatchInfo.Capture(e);
                }

                Array.ForEach(rows, row => _done.Add((same.Key, row, failure)));
            }

            taken.Clear();
        }
    }
}
