using SparseFrontier.Tensors;

namespace SparseFrontier.Tests.Kernels;

/// <summary>Another number of threads until disposed. Tests running beside it may see it too; no result may depend on it.</summary>
internal sealed class ThreadCountScope : IDisposable
{
    private readonly int _before = WorkerPool.ThreadCount;

    public ThreadCountScope(int threads) => WorkerPool.ThreadCount = threads;

    public void Dispose() => WorkerPool.ThreadCount = _before;
}
