using System.Collections.Concurrent;
using System.Management.Automation;
using System.Runtime.ExceptionServices;
using SparseFrontier.Experiments;

namespace SparseFrontier.Shell;

/// <summary>
/// Runs an operation on a pool thread while everything it sends is delivered on the calling thread, the only one on which PowerShell accepts
/// output. The queue between them is bounded, so a slow consumer slows the producer.
/// </summary>
internal static class OperationPump
{
    private const int Capacity = 64;

    /// <summary>Runs to the end, to cancellation, or to the first exception of either side; the worker has always ended on return.</summary>
    /// <param name="operation">What to run.</param>
    /// <param name="target">Receives what the operation sends, on the calling thread.</param>
    /// <param name="cancellation">Cancelled here when delivery fails, by the caller to stop.</param>
    /// <exception cref="OperationCanceledException">The token was cancelled from outside.</exception>
    public static void Run(Action<IPipelineSink, CancellationToken> operation, IPipelineSink target, CancellationTokenSource cancellation)
    {
        using var queue = new BlockingCollection<Action<IPipelineSink>>(Capacity);
        CancellationToken token = cancellation.Token;
        Task worker = Task.Run(
            () =>
            {
                try
                {
                    var sink = new QueueSink(queue, target.ShowsQuestions, token);
                    PipelineThread.Enter(sink.Send);
                    operation(sink, token);
                }
                finally
                {
                    queue.CompleteAdding();
                }
            },
            CancellationToken.None);
        try
        {
            foreach (Action<IPipelineSink> delivery in queue.GetConsumingEnumerable(CancellationToken.None))
            {
                delivery(target);
            }
        }
        catch
        {
            // The consumer has had enough (Select-Object -First, -ErrorAction Stop): end the work before its exception goes on.
            cancellation.Cancel();
            WaitQuietly(worker);
            throw;
        }

        try
        {
            worker.GetAwaiter().GetResult();
        }
        catch (AggregateException e) when (e.InnerExceptions.Count == 1)
        {
            ExceptionDispatchInfo.Throw(e.InnerExceptions[0]);
        }
    }

    private static void WaitQuietly(Task worker)
    {
        try
        {
            worker.Wait();
        }
        catch (AggregateException)
        {
            // The consumer's exception is the one to report.
        }
    }

    private sealed class QueueSink(BlockingCollection<Action<IPipelineSink>> queue, bool showsQuestions, CancellationToken token) : IPipelineSink
    {
        public bool ShowsQuestions => showsQuestions;

        public void Object(object value) => Add(sink => sink.Object(value));

        public void Error(SparseFrontierException error) => Add(sink => sink.Error(error));

        public void Warning(string message) => Add(sink => sink.Warning(message));

        public void Verbose(string message) => Add(sink => sink.Verbose(message));

        public void Information(string message) => Add(sink => sink.Information(message));

        public void Progress(ProgressUpdate update) => Add(sink => sink.Progress(update));

        public bool ShouldProcess(string target, string action)
        {
            bool answer = false;
            Deliver(sink => answer = sink.ShouldProcess(target, action), null);
            return answer;
        }

        /// <summary>Runs something on the pipeline thread and waits for it; what it throws is thrown here, and only here.</summary>
        public void Send(Action call)
        {
            ExceptionDispatchInfo? failure = null;
            Deliver(_ => call(), e => failure = ExceptionDispatchInfo.Capture(e));
            failure?.Throw();
        }

        // Waits until the other side has done it. An exception that nobody here takes ends the delivery, and with it the operation.
        private void Deliver(Action<IPipelineSink> delivery, Action<Exception>? takeException)
        {
            var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            Add(sink =>
            {
                try
                {
                    delivery(sink);
                }
                catch (Exception e) when (takeException is not null && e is not PipelineStoppedException)
                {
                    takeException(e);
                }
                catch (Exception)
                {
                    done.SetCanceled(CancellationToken.None);
                    throw;
                }

                done.SetResult();
            });
            done.Task.Wait(token);
        }

        // A consumer that is gone no longer empties the queue; cancellation is what frees a producer waiting on it.
        private void Add(Action<IPipelineSink> delivery) => queue.Add(delivery, token);
    }
}
