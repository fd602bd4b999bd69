using System.Runtime.CompilerServices;
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
        for (int kvHead = 0; kvHead < heads.Length; kvHead++)
        {
            heads[kvHead] = new ObservationWindow(new float[length], new float[length]);
            for (int head = kvHead * layer.GroupSize; head < (kvHead + 1) * layer.GroupSize; head++)
            {
                for (int token = 0; token < length; token++)
                {
                    heads[kvHead].Sums[token] += sums[head][token] / layer.GroupSize;
                    heads[kvHead].Maxima[token] = Math.Max(heads[kvHead].Maxima[token], maxima[head][token]);
                }
            }
        }

        return heads;
    }
}
