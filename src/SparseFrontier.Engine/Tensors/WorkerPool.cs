namespace SparseFrontier.Tensors;

/// <summary>
/// Runs the iterations of a loop on all cores. Iterations are handed out one by one in ascending order, so put the longest first. Which
/// thread runs an iteration must not matter to its result.
/// </summary>
public static class WorkerPool
{
    /// <summary>Number of threads that a loop uses at most.</summary>
    public static int ThreadCount { get; set; } = Environment.ProcessorCount;

    /// <summary>Calls <paramref name="body"/> for 0 to <paramref name="count"/> - 1.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled; iterations that had begun are finished.</exception>
    public static void For(int count, Action<int> body, CancellationToken cancellationToken = default)
    {
        if (count <= 1 || ThreadCount == 1)
        {
            for (int i = 0; i < count; i++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                body(i);
            }

            return;
        }

        Parallel.For(0, count, new ParallelOptions { MaxDegreeOfParallelism = ThreadCount, CancellationToken = cancellationToken }, body);
    }
}
