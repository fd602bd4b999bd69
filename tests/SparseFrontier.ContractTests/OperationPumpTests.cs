using SparseFrontier.Experiments;
using SparseFrontier.Shell;
using Xunit;

namespace SparseFrontier.ContractTests;

/// <summary>The pump delivers on the calling thread, in order, and always ends the work before it returns.</summary>
public class OperationPumpTests
{
    [Fact]
    public void Everything_arrives_in_order_on_the_calling_thread()
    {
        var sink = new Recorder();
        using var cancellation = new CancellationTokenSource();
        OperationPump.Run(
            (s, _) =>
            {
                for (int i = 0; i < 1000; i++)
                {
                    s.Object(i);
                }

                s.Warning("w");
                s.Verbose("v");
                s.Information("i");
                s.Error(new SparseFrontierException(ErrorIds.TaskNotFound, "e"));
                s.Progress(new ProgressUpdate(1, "a", "b", 1));
            },
            sink,
            cancellation);
        Assert.Equal([.. Enumerable.Range(0, 1000).Cast<object>(), "w", "v", "i", ErrorIds.TaskNotFound, "a"], sink.Seen);
        Assert.Equal([Environment.CurrentManagedThreadId], sink.Threads);
        Assert.False(cancellation.IsCancellationRequested);
    }

    [Fact]
    public void ShouldProcess_answers_the_worker()
    {
        bool yes = false, no = true;
        using var cancellation = new CancellationTokenSource();
        OperationPump.Run(
            (s, _) =>
            {
                yes = s.ShouldProcess("yes", "do");
                no = s.ShouldProcess("no", "do");
            },
            new Recorder(),
            cancellation);
        Assert.True(yes);
        Assert.False(no);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_worker_knows_whether_questions_are_seen(bool seen)
    {
        bool? told = null;
        using var cancellation = new CancellationTokenSource();
        OperationPump.Run((s, _) => told = s.ShowsQuestions, new Recorder { ShowsQuestions = seen }, cancellation);
        Assert.Equal(seen, told);
    }

    [Fact]
    public void A_consumer_that_stops_cancels_the_work_and_waits_for_it()
    {
        bool ended = false;
        using var cancellation = new CancellationTokenSource();
        var stop = Assert.Throws<InvalidOperationException>(() => OperationPump.Run(
            (s, token) =>
            {
                try
                {
                    for (int i = 0; ; i++)
                    {
                        s.Object(i);
                    }
                }
                finally
                {
                    Thread.Sleep(50);
                    ended = true;
                }
            },
            new Recorder { Limit = 3 },
            cancellation));
        Assert.Equal("enough", stop.Message);
        Assert.True(ended);
        Assert.True(cancellation.IsCancellationRequested);
    }

    [Fact]
    public void A_slow_consumer_slows_the_producer()
    {
        int produced = 0;
        using var cancellation = new CancellationTokenSource();
        Assert.Throws<InvalidOperationException>(() => OperationPump.Run(
            (s, _) =>
            {
                for (int i = 0; i < 100_000; i++)
                {
                    s.Object(i);
                    produced++;
                }
            },
            new Recorder { Limit = 2, Delay = 100 },
            cancellation));
        Assert.InRange(produced, 1, 100);
    }

    [Fact]
    public void Cancellation_from_outside_ends_it_at_once()
    {
        using var cancellation = new CancellationTokenSource();
        cancellation.CancelAfter(50);
        long start = Environment.TickCount64;
        Assert.ThrowsAny<OperationCanceledException>(() => OperationPump.Run(
            (_, token) => Task.Delay(60_000, token).GetAwaiter().GetResult(), new Recorder(), cancellation));
        // Far below the operation's own length, far above what a busy machine adds.
        Assert.InRange(Environment.TickCount64 - start, 0, 10_000);
    }

    [Fact]
    public void The_operation_s_own_exception_comes_through_after_its_output()
    {
        var sink = new Recorder();
        using var cancellation = new CancellationTokenSource();
        var error = Assert.Throws<SparseFrontierException>(() => OperationPump.Run(
            (s, _) =>
            {
                s.Object("first");
                throw new SparseFrontierException(ErrorIds.ModelNotFound, "none");
            },
            sink,
            cancellation));
        Assert.Equal(ErrorIds.ModelNotFound, error.ErrorId);
        Assert.Equal(["first"], sink.Seen);
    }

    [Fact]
    public void A_question_that_cannot_be_asked_ends_the_work()
    {
        using var cancellation = new CancellationTokenSource();
        Assert.Throws<InvalidOperationException>(() => OperationPump.Run((s, _) => s.ShouldProcess("throw", "do"), new Recorder(), cancellation));
    }

    private sealed class Recorder : IPipelineSink
    {
        public List<object> Seen { get; } = [];

        public HashSet<int> Threads { get; } = [];

        public int Limit { get; init; } = int.MaxValue;

        public bool ShowsQuestions { get; init; } = true;

        public int Delay { get; init; }

        public void Object(object value) => Add(value);

        public void Error(SparseFrontierException error) => Add(error.ErrorId);

        public void Warning(string message) => Add(message);

        public void Verbose(string message) => Add(message);

        public void Information(string message) => Add(message);

        public void Progress(ProgressUpdate update) => Add(update.Activity);

        public bool ShouldProcess(string target, string action) =>
            target == "throw" ? throw new InvalidOperationException("cannot ask") : target == "yes";

        private void Add(object value)
        {
            Thread.Sleep(Delay);
            if (Seen.Count == Limit)
            {
                throw new InvalidOperationException("enough");
            }

            Threads.Add(Environment.CurrentManagedThreadId);
            Seen.Add(value);
        }
    }
}
