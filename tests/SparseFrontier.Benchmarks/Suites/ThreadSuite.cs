using SparseFrontier.Kernels.Measurement;
using SparseFrontier.Tensors;

namespace SparseFrontier.Benchmarks.Suites;

/// <summary>What handing out a loop's iterations costs, against the runtime's own parallel loop.</summary>
internal static class ThreadSuite
{
    public static void Run(BenchmarkReport report)
    {
        foreach (int iterations in new[] { WorkerPool.ThreadCount, 64 })
        {
            var options = new ParallelOptions { MaxDegreeOfParallelism = WorkerPool.ThreadCount };
            Action<int> body = static _ => { };
            report.Measure(
                $"An empty loop of {iterations} iterations",
                new InterleavedTimer(),
                [
                    new Contender("WorkerPool.For", () => WorkerPool.For(iterations, body)),
                    new Contender("Parallel.For", () => Parallel.For(0, iterations, options, body)),
                ],
                "Parallel.For");
        }
    }
}
