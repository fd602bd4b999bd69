using SparseFrontier.Tensors;
using SparseFrontier.Tests.Kernels;
using Xunit;

namespace SparseFrontier.Tests.Tensors;

/// <summary>Apart from other tests, which set the number of threads and run loops: with fewer threads than loops none gets a helper.</summary>
[Collection(nameof(WorkerPoolTests))]
[CollectionDefinition(nameof(WorkerPoolTests), DisableParallelization = true)]
public class WorkerPoolTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(1000)]
    public void Runs_every_iteration_once(int count)
    {
        int[] runs = new int[count];
        WorkerPool.For(count, i => Interlocked.Increment(ref runs[i]));
        Assert.All(runs, r => Assert.Equal(1, r));
    }

    [Fact]
    public void Many_short_loops_in_a_row_lose_nothing()
    {
        long sum = 0;
        for (int loop = 0; loop < 20_000; loop++)
        {
            WorkerPool.For(3, i => Interlocked.Add(ref sum, i + 1));
        }

        Assert.Equal(120_000, sum);
    }

    [Fact]
    public void Loops_that_find_the_workers_parked_lose_nothing()
    {
        int sum = 0;
        for (int loop = 0; loop < 20; loop++)
        {
            Thread.Sleep(5);
            WorkerPool.For(5, _ => Interlocked.Increment(ref sum));
        }

        Assert.Equal(100, sum);
    }

    [Fact]
    public void A_loop_inside_a_loop_runs()
    {
        int sum = 0;
        WorkerPool.For(10, _ => WorkerPool.For(10, _ => Interlocked.Increment(ref sum)));
        Assert.Equal(100, sum);
    }

    [Fact]
    public void Loops_of_several_threads_run()
    {
        int sum = 0;
        Thread[] threads = [.. Enumerable.Range(0, 4).Select(_ => new Thread(() =>
        {
            for (int loop = 0; loop < 500; loop++)
            {
                WorkerPool.For(7, _ => Interlocked.Increment(ref sum));
            }
        }))];
        foreach (Thread thread in threads)
        {
            thread.Start();
        }

        foreach (Thread thread in threads)
        {
            thread.Join();
        }

        Assert.Equal(14_000, sum);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void An_exception_stops_the_loop_and_leaves_the_pool_usable(int threads)
    {
        int before = WorkerPool.ThreadCount;
        try
        {
            WorkerPool.ThreadCount = threads;
            int runs = 0;
            var error = Assert.Throws<InvalidDataException>(() => WorkerPool.For(100_000, i =>
            {
                Interlocked.Increment(ref runs);
                if (i == 10)
                {
                    throw new InvalidDataException("here");
                }

                WaitLongAfter(i);
            }));
            Assert.Equal("here", error.Message);
            Assert.InRange(runs, 11, 99_999);
            Runs_every_iteration_once(50);
        }
        finally
        {
            WorkerPool.ThreadCount = before;
        }
    }

    [Fact]
    public void Cancellation_stops_the_loop()
    {
        using var source = new CancellationTokenSource();
        int runs = 0;
        Assert.ThrowsAny<OperationCanceledException>(() => WorkerPool.For(
            1_000_000,
            i =>
            {
                Interlocked.Increment(ref runs);
                if (i == 100)
                {
                    source.Cancel();
                }

                WaitLongAfter(i);
            },
            source.Token));
        Assert.InRange(runs, 101, 999_999);
    }

    // With three threads one worker is left for both loops.
    [Theory]
    [InlineData(3)]
    [InlineData(4)]
    public void A_second_loop_gets_workers_while_the_first_goes_on(int threads)
    {
        using var scope = new ThreadCountScope(threads);
        using var running = new ManualResetEventSlim();
        using var done = new CancellationTokenSource();
        var first = new Thread(() => Assert.ThrowsAny<OperationCanceledException>(() => WorkerPool.For(
            1_000_000,
            _ =>
            {
                running.Set();
                Thread.Sleep(1);
                done.Token.ThrowIfCancellationRequested();
            })));
        first.Start();
        running.Wait();
        int own = Environment.CurrentManagedThreadId;
        bool helped = false;
        WorkerPool.For(10_000, _ =>
        {
            if (Environment.CurrentManagedThreadId != own)
            {
                Volatile.Write(ref helped, true);
            }
            else if (!Volatile.Read(ref helped))
            {
                Thread.Sleep(1);
            }
        });
        done.Cancel();
        first.Join();
        Assert.True(helped);
    }

    // So that the other threads cannot end the loop while the one that stops it waits for a core.
    private static void WaitLongAfter(int iteration)
    {
        if (iteration > 1000)
        {
            Thread.Sleep(1);
        }
    }

    [Theory]
    [InlineData(8, null, 8)]
    [InlineData(8, "", 8)]
    [InlineData(8, "2", 2)]
    [InlineData(2, "16", 2)]
    [InlineData(8, "0", 8)]
    [InlineData(8, "two", 8)]
    public void Slurm_can_only_lower_the_number_of_threads(int processors, string? slurm, int threads) =>
        Assert.Equal(threads, WorkerPool.AllowedCores(processors, slurm));

    [Fact]
    public void At_least_one_thread_is_needed() => Assert.Throws<ArgumentOutOfRangeException>(() => WorkerPool.ThreadCount = 0);
}
