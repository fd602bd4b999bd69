using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using SparseFrontier.Kernels;
using SparseFrontier.Tensors;

namespace SparseFrontier.Attention;

/// <summary>
/// The attention that the last queries of a prompt give each token, for one KV head: what SnapKV and AdaSnapKV choose by. It is computed once
/// for a layer and window, so that a sweep over methods and capacities that share a prefill does not pay for it again.
/// </summary>
/// <param name="Sums">[length], mean over the group's query heads of the sum over the window.</param>
/// <param name="Maxima">[length], largest weight that any query of any head of the group gives.</param>
internal sealed record ObservationWindow(float[] Sums, float[] Maxima)
{
    private static readonly ConditionalWeakTable<PromptLayer, Dictionary<int, ObservationWindow[]>> s_computed = [];

    private readonly Dictionary<(bool Maxima, int Size), float[]> _averages = [];

    /// <summary>[KV heads] of a layer; a window longer than the prompt is all of it.</summary>
    public static ObservationWindow[] Of(PromptLayer layer, int window)
    {
        window = Math.Min(layer.Length, window);
        Dictionary<int, ObservationWindow[]> known = s_computed.GetOrCreateValue(layer);
        lock (known)
        {
            if (!known.TryGetValue(window, out ObservationWindow[]? heads))
            {
                heads = Compute(layer, window);
                known.Add(window, heads);
            }

            return heads;
        }
    }

    /// <summary>[length], the sums averaged over <paramref name="size"/> neighbours and rounded; computed once, not to be changed.</summary>
    public float[] AverageSums(int size) => Average(false, size);

    /// <summary>[length], the maxima averaged over <paramref name="size"/> neighbours and rounded; computed once, not to be changed.</summary>
    public float[] AverageMaxima(int size) => Average(true, size);

    private static ObservationWindow[] Compute(PromptLayer layer, int window)
    {
        int length = layer.Length;
        float[][] sums = new float[layer.Queries.Heads][];
        float[][] maxima = new float[layer.Queries.Heads][];
        layer.ForKvHeads((part, first, count) => WorkerPool.For(
            count * layer.GroupSize,
            i =>
            {
                int head = (first * layer.GroupSize) + i;
                sums[head] = new float[length];
                maxima[head] = new float[length];
                part.Kernels.LastWindowAttention(part.Queries, part.Keys, head, window, part.Scale, sums[head], default, maxima[head]);
            },
            layer.CancellationToken));
        var heads = new ObservationWindow[layer.KvHeads];
        WorkerPool.For(heads.Length, kvHead =>
        {
            heads[kvHead] = new ObservationWindow(new float[length], new float[length]);
            for (int head = kvHead * layer.GroupSize; head < (kvHead + 1) * layer.GroupSize; head++)
            {
                AddShare(sums[head], layer.GroupSize, heads[kvHead].Sums);
                TakeMaxima(maxima[head], heads[kvHead].Maxima);
            }
        });
        return heads;
    }

    // target += values / group
    private static void AddShare(float[] values, int group, float[] target)
    {
        Span<Vector<float>> sums = MemoryMarshal.Cast<float, Vector<float>>(target.AsSpan());
        ReadOnlySpan<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(values);
        for (int i = 0; i < sums.Length; i++)
        {
            sums[i] += vectors[i] / new Vector<float>(group);
        }

        for (int i = sums.Length * Vector<float>.Count; i < target.Length; i++)
        {
            target[i] += values[i] / group;
        }
    }

    // target = max(target, values)
    private static void TakeMaxima(float[] values, float[] target)
    {
        Span<Vector<float>> maxima = MemoryMarshal.Cast<float, Vector<float>>(target.AsSpan());
        ReadOnlySpan<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(values);
        for (int i = 0; i < maxima.Length; i++)
        {
            maxima[i] = Vector.Max(maxima[i], vectors[i]);
        }

        for (int i = maxima.Length * Vector<float>.Count; i < target.Length; i++)
        {
            target[i] = Math.Max(target[i], values[i]);
        }
    }

    private float[] Average(bool maxima, int size)
    {
        lock (_averages)
        {
            if (!_averages.TryGetValue((maxima, size), out float[]? averages))
            {
                averages = new float[Sums.Length];
                NeighbourMeans.Run(maxima ? Maxima : Sums, size, averages);
                ScoreRounding.ToBFloat16(averages);
                _averages.Add((maxima, size), averages);
            }

            return averages;
        }
    }
}
