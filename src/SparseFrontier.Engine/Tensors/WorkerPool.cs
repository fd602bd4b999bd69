using System.Globalization;
using System.Runtime.ExceptionServices;

namespace SparseFrontier.Tensors;

/// <summary>
/// Runs the iterations of a loop on all cores. Iterations are handed out one by one in ascending order, so put the longest first. Which
/// thread runs an iteration must not matter to its result. The threads persist and spin briefly between loops, because decoding runs many
/// short ones. Loops of several threads share the workers evenly, iteration by iteration; a loop inside an iteration runs on its own thread alone.
/// </summary>
public static class WorkerPool
{
    // About 50 µs: longer than the gap between the loops of a decode step, short enough not to burn a core.
    private const int SpinsBeforeParking = 2_000;

    // Some 10 µs for the helpers' last iterations: a yield that finds nobody to run takes as long as many of these, and is noticed late.
    private const int SpinsBeforeYielding = 300;

    // A condition, not a counter of permits: a worker that stands aside and waits again would take the permit of one that has not woken yet.
    private static readonly object s_parking = new();
    private static readonly Lock s_growing = new();

    // Loops that are running; a loop that finds no place here runs on its own thread alone.
    private static readonly Loop?[] s_loops = new Loop?[8];
    private static int s_threadCount = AllowedCores(Environment.ProcessorCount, Environment.GetEnvironmentVariable("SLURM_CPUS_PER_TASK"));
    private static int s_workers;
    private static int s_parked;
    private static int s_running;
    private static int s_generation;

    [ThreadStatic]
    private static bool s_insideLoop;

    /// <summary>
    /// Number of threads that loops use at most, the callers included. At first the cores that the process may use (affinity, container limit),
    /// or fewer where Slurm gave a task fewer (<c>SLURM_CPUS_PER_TASK</c>).
    /// </summary>
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
        int helpers = Math.Min(s_threadCount, count) - 1;
        if (helpers <= 0 || s_insideLoop)
        {
            RunAlone(count, body, cancellationToken);
            return;
        }

        var loop = new Loop(count, body, helpers, cancellationToken);
        int place = Begin(loop);
        if (place < 0)
        {
            RunAlone(count, body, cancellationToken);
            return;
        }

        s_insideLoop = true;
        try
        {
            StartWorkers(s_threadCount - 1);
            Wake(helpers);
            loop.Run(helps: false);
            loop.Wait();
        }
        finally
        {
            s_insideLoop = false;
            End(place);
        }

        loop.ThrowIfFailed();
    }

    /// <summary>Whether a loop from here, of iterations that take equally long, would keep all threads busy to its end.</summary>
    internal static bool FillsThreads(int count) => !s_insideLoop && (count % s_threadCount == 0 || count >= 4 * s_threadCount);

    /// <summary>The cores to use: what Slurm gave the task, if it says so, but not more than the process has.</summary>
    internal static int AllowedCores(int processors, string? slurm) =>
        int.TryParse(slurm, NumberStyles.None, CultureInfo.InvariantCulture, out int cores) && cores >= 1 ? Math.Min(cores, processors) : processors;

    private static void RunAlone(int count, Action<int> body, CancellationToken cancellationToken)
    {
        for (int i = 0; i < count; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            body(i);
        }
    }

    // Shows a loop to the workers; -1 if too many are running.
    private static int Begin(Loop loop)
    {
        for (int place = 0; place < s_loops.Length; place++)
        {
            if (s_loops[place] is null && Interlocked.CompareExchange(ref s_loops[place], loop, null) is null)
            {
                Interlocked.Increment(ref s_running);
                Interlocked.Increment(ref s_generation);
                return place;
            }
        }

        return -1;
    }

    private static void End(int place)
    {
        Volatile.Write(ref s_loops[place], null);

        // Workers that stood aside for this loop's thread may now help another.
        if (Interlocked.Decrement(ref s_running) > 0)
        {
            Interlocked.Increment(ref s_generation);
            Wake(s_workers);
        }
    }

    private static void Wake(int wanted)
    {
        if (Volatile.Read(ref s_parked) == 0)
        {
            return;
        }

        lock (s_parking)
        {
            // Where some workers must stand aside, few pulses could wake just those.
            if (s_workers > s_threadCount - Volatile.Read(ref s_running))
            {
                Monitor.PulseAll(s_parking);
                return;
            }

            for (int i = 0; i < wanted; i++)
            {
                Monitor.Pulse(s_parking);
            }
        }
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
                int worker = s_workers;
                new Thread(() => Work(worker)) { IsBackground = true, Name = "SparseFrontier worker" }.Start();
            }
        }
    }

    private static void Work(int worker)
    {
        s_insideLoop = true;
        int place = 0;
        while (true)
        {
            int generation = Volatile.Read(ref s_generation);
            Loop? loop = Choose(worker, ref place);
            if (loop is null)
            {
                WaitForChange(generation);
            }
            else if (loop.TryJoin())
            {
                loop.Run(helps: true);
                loop.Leave();
            }
        }
    }

    // The running loop with the fewest helpers that wants one, of several the next after the one that this worker helped last, so that a worker
    // alone helps all in turn; none if the threads of the running loops leave no core for this worker.
    private static Loop? Choose(int worker, ref int lastPlace)
    {
        if (worker >= s_threadCount - Volatile.Read(ref s_running))
        {
            return null;
        }

        Loop? best = null;
        int bestPlace = lastPlace;
        for (int i = 1; i <= s_loops.Length; i++)
        {
            int place = (lastPlace + i) % s_loops.Length;
            if (Volatile.Read(ref s_loops[place]) is { WantsHelp: true } loop && (best is null || loop.Helpers < best.Helpers))
            {
                best = loop;
                bestPlace = place;
            }
        }

        lastPlace = bestPlace;
        return best;
    }

    private static void WaitForChange(int generation)
    {
        for (int i = 0; i < SpinsBeforeParking; i++)
        {
            if (Volatile.Read(ref s_generation) != generation)
            {
                return;
            }

            Thread.SpinWait(1);
        }

        lock (s_parking)
        {
            // Counted as parked before the last look, so that a loop started in between either is seen here or pulses.
            Interlocked.Increment(ref s_parked);
            while (Volatile.Read(ref s_generation) == generation)
            {
                Monitor.Wait(s_parking);
            }

            Interlocked.Decrement(ref s_parked);
        }
    }

    private sealed class Loop(int count, Action<int> body, int maximumHelpers, CancellationToken cancellationToken)
    {
        private int _next;
        private int _finished;
        private int _helpers;
        private volatile bool _stopped;
        private ExceptionDispatchInfo? _failure;

        public int Helpers => Volatile.Read(ref _helpers);

        public bool WantsHelp => Volatile.Read(ref _next) < count && Helpers < maximumHelpers;

        public bool TryJoin()
        {
            if (Interlocked.Increment(ref _helpers) <= maximumHelpers)
            {
                return true;
            }

            Leave();
            return false;
        }

        public void Leave() => Interlocked.Decrement(ref _helpers);

        // Until all iterations are handed out; a helper leaves after each one while other loops run too, to choose anew.
        // After a stop the remaining iterations are still handed out, unrun, so that every one of them is accounted for.
        public void Run(bool helps)
        {
            int finished = 0;
            do
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
            while (!helps || Volatile.Read(ref s_running) == 1);

            Interlocked.Add(ref _finished, finished);
        }

        public void Wait()
        {
            for (int i = 0; i < SpinsBeforeYielding && Volatile.Read(ref _finished) < count; i++)
            {
                Thread.SpinWait(1);
            }

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
