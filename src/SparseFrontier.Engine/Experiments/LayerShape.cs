using SparseFrontier.Attention;
using SparseFrontier.Tensors;

namespace SparseFrontier.Experiments;

/// <summary>Sizes of a measured layer.</summary>
/// <param name="Length">Prompt tokens.</param>
/// <param name="QueryHeads">Query heads.</param>
/// <param name="KvHeads">KV heads.</param>
/// <param name="HeadDimension">Elements of a head's vector.</param>
/// <param name="Device">Device to compute on.</param>
internal sealed record LayerShape(int Length, int QueryHeads, int KvHeads, int HeadDimension, string Device)
{
    /// <summary>Factor on query · key.</summary>
    public float Scale => (float)(1 / Math.Sqrt(HeadDimension));

    /// <summary>Normal numbers [heads, length, dimension]; each head has its own stream, so that all cores draw. Where it is cancelled, the rest stays zero and whoever goes on finds the token.</summary>
    public NativeArray<float> Draw(int heads, string purpose, long seed, CancellationToken cancellationToken)
    {
        var data = new NativeArray<float>((long)heads * Length * HeadDimension);
        WorkerPool.For(heads, head =>
        {
            var random = new RandomSource($"kernels/measure/{purpose}", seed, head);
            int count = Length * HeadDimension;
            Span<float> target = data.Slice((long)head * count, count);
            for (int i = 0; i < count && !(i % Length == 0 && cancellationToken.IsCancellationRequested); i++)
            {
                target[i] = (float)random.NextNormal();
            }
        }, CancellationToken.None);
        return data;
    }

    /// <summary>A row of the layer without times.</summary>
    public KernelMeasurement Empty(AttentionPhase phase, string method, double? sparsity, string? message) => new()
    {
        Phase = phase.ToString(),
        Method = method,
        Device = Device,
        SequenceLength = Length,
        QueryHeads = QueryHeads,
        KvHeads = KvHeads,
        HeadDimension = HeadDimension,
        RequestedSparsity = sparsity,
        Message = message,
    };
}
