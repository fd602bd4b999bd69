using System.Runtime.ExceptionServices;

namespace SparseFrontier.Tensors;

/// <summary>
/// Runs the iterations of a loop on all cores. Iterations are handed out one by one in ascending order, so put the longest first. Which
/// thread runs an iteration must not matter to its result. The threads persist and spin briefly between loops, because decoding runs many
/// short ones. A loop inside an iteration, or while another thread's loop holds the pool, runs on its own thread alone.
/// </summary>
public static class WorkerPool
{
    // About 50 µs: longer than the gap between the loops of a decode step, short enough not to burn a core.
    private const int SpinsBeforeParking = 2_000;

    private static readonly SemaphoreSlim s_wake = new(0);
    private static readonly Lock s_growing = new();
    private static int s_threadCount = Environment.ProcessorCount;
    private static int s_workers;
    private static int s_parked;
    private static int s_busy;
    private static int s_generation;
    private static Loop? s_loop;

    [ThreadStatic]
    private static bool s_insideLoop;

    /// <summary>Number of threads that a loop uses at most, the caller's included.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is below 1.</exception>
    public static int ThreadCount
    {
        get => s_threadCount;
        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1);
            s_threadCount = value;
        }
    }

    /// <summary>Calls <paramref name="body"/> for 0 to <paramref name="count"/> - 1. The first exception of an iteration stops the loop and is thrown here.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled; iterations that had begun are finished.</exception>
    public static void For(int count, Action<int> body, CancellationToken cancellationToken = default)
    {
        int threads = Math.Min(s_threadCount, count);
        if (threads <= 1 || s_insideLoop || Interlocked.Exchange(ref s_busy, 1) != 0)
        {
            for (int i = 0; i < count; i++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                body(i);
            }

            return;
        }

        var loop = new Loop(count, body, threads - 1, cancellationToken);
        s_insideLoop = true;
        try
        {
            StartWorkers(threads - 1);
            Volatile.Write(ref s_loop, loop);
            Interlocked.Increment(ref s_generation);
            int parked = Volatile.Read(ref s_parked);
            if (parked > 0)
            {
                s_wake.Release(Math.Min(parked, threads - 1));
            }

            loop.Run();
            loop.Wait();
        }
        finally
        {
            Volatile.Write(ref s_loop, null);
            s_insideLoop = false;
            Volatile.Write(ref s_busy, 0);
        }

        loop.ThrowIfFailed();
    }

    private static void StartWorkers(int count)
    {
        if (Volatile.Read(ref s_workers) >= count)
        {
            return;
        }

        lock (s_growing)
        {
            for (; s_workers < count; s_workers++)
            {
                new Thread(Work) { IsBackground = true, Name = "SparseFrontier worker" }.Start();
            }
        }
    }

    private static void Work()
    {
        s_insideLoop = true;
        int seen = 0;
        while (true)
        {
            seen = WaitForLoop(seen);
            Loop? loop = Volatile.Read(ref s_loop);
            if (loop is not null && loop.TryJoin())
            {
                loop.Run();
            }
        }
    }

    private static int WaitForLoop(int seen)
    {
        while (true)
        {
            for (int i = 0; i < SpinsBeforeParking; i++)
            {
                int generation = Volatile.Read(ref s_generation);
                if (generation != seen)
                {
                    return generation;
                }

                Thread.SpinWait(1);
            }

            // Counted as parked before the last look, so that a loop started in between either is seen here or releases the semaphore.
            Interlocked.Increment(ref s_parked);
            if (Volatile.Read(ref s_generation) == seen)
            {
                s_wake.Wait();
            }

            Interlocked.Decrement(ref s_parked);
        }
    }

    private sealed class Loop(int count, Action<int> body, int helpers, CancellationToken cancellationToken)
    {
        private int _next;
        private int _finished;
        private int _seats = helpers;
        private volatile bool _stopped;
        private ExceptionDispatchInfo? _failure;

        public bool TryJoin() => Interlocked.Decrement(ref _seats) >= 0;

        // After a stop the remaining iterations are still handed out, unrun, so that every one of them is accounted for.
        public void Run()
        {
            int finished = 0;
            while (true)
            {
                int i = Interlocked.Increment(ref _next) - 1;
                if (i >= count)
                {
                    break;
                }

                finished++;
                if (_stopped || cancellationToken.IsCancellationRequested)
                {
                    _stopped = true;
                    continue;
                }

                try
                {
                    body(i);
                }
                catch (Exception exception)
                {
                    Interlocked.CompareExchange(ref _failure, ExceptionDispatchInfo.Capture(exception), null);
                    _stopped = true;
                }
            }

            Interlocked.Add(ref _finished, finished);
        }

        public void Wait()
        {
            SpinWait spin = default;
            while (Volatile.Read(ref _finished) < count)
            {
                spin.SpinOnce(sleep1Threshold: -1);
            }
        }

        public void ThrowIfFailed()
        {
            _failure?.Throw();
            if (_stopped)
            {
                cancellationToken.ThrowIfCancellationRequested();
            }
        }
    }
}
