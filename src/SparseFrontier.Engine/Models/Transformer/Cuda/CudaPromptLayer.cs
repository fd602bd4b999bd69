using SparseFrontier.Attention;
using SparseFrontier.Kernels;
using SparseFrontier.Kernels.Cuda;
using SparseFrontier.Tensors;

namespace SparseFrontier.Models.Transformer.Cuda;

/// <summary>What a method sees of one layer on the device; what several methods need of it is computed once.</summary>
internal sealed unsafe class CudaPromptLayer(
    int layer, CudaVectors queries, CudaVectors keys, CudaVectors values, float scale, long seed, CancellationToken cancellationToken) : IDisposable
{
    private readonly Dictionary<int, CudaWindow> _windows = [];
    private readonly List<NativeArray<float>> _copies = [];
    private PromptLayer? _onHost;

    /// <summary>Index of the layer.</summary>
    public int Layer => layer;

    /// <summary>[query heads, length, dimension].</summary>
    public CudaVectors Queries => queries;

    /// <summary>[KV heads, length, dimension].</summary>
    public CudaVectors Keys => keys;

    /// <summary>[KV heads, length, dimension].</summary>
    public CudaVectors Values => values;

    /// <summary>Factor on query · key.</summary>
    public float Scale => scale;

    /// <summary>Seed of the sample.</summary>
    public long Seed => seed;

    /// <summary>Prompt tokens.</summary>
    public int Length => keys.Rows;

    /// <summary>The shape that budgets depend on.</summary>
    public PromptShape Shape => new(Length, queries.Heads, keys.Heads);

    /// <summary>Sums of the last queries' attention, computed once a window.</summary>
    public CudaWindow Window(int window)
    {
        window = Math.Min(window, Length);
        if (!_windows.TryGetValue(window, out CudaWindow? sums))
        {
            sums = CudaWindow.Compute(queries, keys, window, scale);
            _windows.Add(window, sums);
        }

        return sums;
    }

    /// <summary>A copy in host memory, for methods that select on the processor; made at the first call, valid until disposed.</summary>
    public PromptLayer OnHost() => _onHost ??= Describe(Copy);

    /// <summary>As <see cref="OnHost"/> without any vector, for methods that look at none.</summary>
    public PromptLayer Outline() => Describe(v => HeadTensor.HeadMajor(null, v.Heads, v.Rows, v.Dimension));

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (CudaWindow window in _windows.Values)
        {
            window.Dispose();
        }

        _copies.ForEach(c => c.Dispose());
    }

    private PromptLayer Describe(Func<CudaVectors, HeadTensor> vectors) => new()
    {
        Layer = layer,
        Queries = vectors(queries),
        Keys = vectors(keys),
        Values = vectors(values),
        Scale = scale,
        Kernels = KernelSets.Default,
        Seed = seed,
        CancellationToken = cancellationToken,
    };

    private HeadTensor Copy(CudaVectors vectors)
    {
        // Queries lie row by row, keys and values head by head; without padding both ways.
        long count = (long)vectors.Heads * vectors.Rows * vectors.Dimension;
        using var wide = CudaMemory.Allocate(vectors.Device, count * sizeof(float));
        vectors.Device.Function("convert.cu", "expand", vectors.TypeDefinition).Launch(
            (CudaDecoder.Blocks(count), 1, 1), 256, 0, vectors.Address, wide, (long)vectors.Heads * vectors.Rows, vectors.Dimension, vectors.Width);
        var copy = new NativeArray<float>(count, zeroed: false);
        _copies.Add(copy);
        wide.Download(copy.Pointer, copy.SizeInBytes);
        return vectors.HeadStride < vectors.RowStride
            ? HeadTensor.RowMajor(copy.Pointer, vectors.Heads, vectors.Rows, vectors.Dimension)
            : HeadTensor.HeadMajor(copy.Pointer, vectors.Heads, vectors.Rows, vectors.Dimension);
    }
}
