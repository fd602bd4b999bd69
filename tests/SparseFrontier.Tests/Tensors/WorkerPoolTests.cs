using SparseFrontier.Tensors;
using Xunit;

namespace SparseFrontier.Tests.Tensors;

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
            },
            source.Token));
        Assert.InRange(runs, 101, 999_999);
    }

    [Fact]
    public void At_least_one_thread_is_needed() => Assert.Throws<ArgumentOutOfRangeException>(() => WorkerPool.ThreadCount = 0);
}
