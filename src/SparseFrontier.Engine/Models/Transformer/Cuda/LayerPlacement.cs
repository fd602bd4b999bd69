using SparseFrontier.Kernels.Cuda;

namespace SparseFrontier.Models.Transformer.Cuda;

/// <summary>
/// Which layers lie on which of several GPUs: ranges in order, so that a token's hidden state passes from each GPU to the next, and so that the fullest of them is as empty
/// as it can be.
/// </summary>
internal static class LayerPlacement
{
    // The driver's context and kernels, lists of a layer's heads, tails of sequences and scratch memory of steps.
    private const long ReservedBytes = 2L << 30;
    private const double ReservedShare = 0.03;

    /// <summary>Divides layers.</summary>
    /// <param name="layerBytes">Bytes of each layer: weights and cache.</param>
    /// <param name="first">Bytes that the first GPU holds besides (the embedding).</param>
    /// <param name="last">Bytes that the last GPU holds besides (the output matrix).</param>
    /// <param name="each">Bytes that every GPU holds besides (a prompt's rows).</param>
    /// <param name="capacities">Bytes of each GPU.</param>
    /// <returns>The layer after the last of each GPU; null where they do not fit. Every GPU has a layer at least.</returns>
    public static int[]? Divide(IReadOnlyList<long> layerBytes, long first, long last, long each, IReadOnlyList<long> capacities)
    {
        if (capacities.Count > layerBytes.Count)
        {
            return null;
        }

        // The smallest share of every GPU's memory that suffices, to a thousandth.
        int low = 0;
        int high = 1000;
        if (Fill(high) is null)
        {
            return null;
        }

        while (high - low > 1)
        {
            int middle = (low + high) / 2;
            (low, high) = Fill(middle) is null ? (middle, high) : (low, middle);
        }

        return Fill(high);

        // As many layers on each GPU as the share allows; the last takes what is left.
        int[]? Fill(int thousandths)
        {
            int count = capacities.Count;
            int[] ends = new int[count];
            int layer = 0;
            for (int gpu = 0; gpu < count; gpu++)
            {
                double room = (capacities[gpu] * (thousandths / 1000.0)) - each - (gpu == 0 ? first : 0) - (gpu == count - 1 ? last : 0);
                int begin = layer;
                while (layer < layerBytes.Count - (count - 1 - gpu) && room >= layerBytes[layer])
                {
                    room -= layerBytes[layer++];
                }

                if (layer == begin)
                {
                    return null;
                }

                ends[gpu] = layer;
            }

            return layer == layerBytes.Count ? ends : null;
        }
    }

    /// <summary>Divides a model's layers, with a prompt's cache.</summary>
    /// <param name="c">The model.</param>
    /// <param name="length">Tokens of the prompt; 0: weights alone.</param>
    /// <param name="capacities">Bytes of each GPU, less what is not for this model.</param>
    public static int[]? Divide(ModelConfiguration c, int length, IReadOnlyList<long> capacities)
    {
        long vocabulary = 2L * c.VocabularySize * c.HiddenSize;
        long prompt = length == 0 ? 0 : CudaPromptReader.NeededBytes(c, length, CudaPromptReader.ChunkRows(c, length, null), 0, 0);
        long cache = length == 0 ? 0 : CudaPromptReader.NeededBytes(c, length, 0, 1, 1) - CudaPromptReader.NeededBytes(c, length, 0, 0, 0);
        long[] layers = new long[c.LayerCount];
        Array.Fill(layers, LayerBytes(c) + cache);

        // One matrix where the embedding is the output's, unless they lie on two GPUs.
        return Divide(layers, vocabulary, c.TiedEmbeddings && capacities.Count == 1 ? 0 : vocabulary, prompt, capacities);
    }

    /// <summary>
    /// The devices that samples are spread over when a model with its longest prompt does not fit one GPU: GPUs joined, as few as hold it. Unchanged where one GPU holds
    /// it.
    /// </summary>
    /// <param name="c">The model.</param>
    /// <param name="length">Tokens of the longest prompt.</param>
    /// <param name="memory">Bytes of memory of each GPU.</param>
    /// <returns>How many GPUs hold it.</returns>
    /// <exception cref="SparseFrontierException">DeviceOutOfMemory: all together do not.</exception>
    public static int CountFor(ModelConfiguration c, int length, IReadOnlyList<long> memory)
    {
        long[] capacities = [.. memory.Select(Usable)];
        for (int count = 1; count <= capacities.Length; count++)
        {
            // GPUs are joined in their order, each group must hold the model.
            if (capacities.Chunk(count).Where(g => g.Length == count).All(g => Divide(c, length, g) is not null))
            {
                return count;
            }
        }

        double needed = (c.LayerCount * LayerBytes(c)) + (4L * c.VocabularySize * c.HiddenSize) + CudaPromptReader.NeededBytes(c, length, 0, 1, c.LayerCount);
        throw new SparseFrontierException(
            ErrorIds.DeviceOutOfMemory,
            FormattableString.Invariant(
                $"The model and a prompt of {length} tokens need about {needed / (1L << 30):F1} GiB, and the {memory.Count} GPUs have {capacities.Sum() / (double)(1L << 30):F1} GiB for it. Name more GPUs, shorten the prompt, or take a smaller model."),
            length);
    }

    /// <summary>What a model can have of a GPU's memory.</summary>
    internal static long Usable(long memory) => Math.Max(0, memory - ReservedBytes - (long)(memory * ReservedShare));

    private static long LayerBytes(ModelConfiguration c)
    {
        long heads = (2L * c.QueryHeads) + (2L * c.KvHeads);
        return 2 * ((heads * c.HeadDimension * c.HiddenSize) + (3L * c.HiddenSize * c.IntermediateSize));
    }
}

/// <summary>The layers that one GPU holds of a model.</summary>
/// <param name="Index">Number of the range, from 0.</param>
/// <param name="Device">The GPU.</param>
/// <param name="First">First layer.</param>
/// <param name="End">Layer after the last.</param>
/// <param name="IsLast">Whether the output matrix lies there.</param>
internal sealed record CudaStage(int Index, CudaDevice Device, int First, int End, bool IsLast)
{
    /// <summary>Number of layers.</summary>
    public int Count => End - First;
}
