using SparseFrontier.Attention;
using SparseFrontier.Kernels.Cuda;

namespace SparseFrontier.Models.Transformer.Cuda;

/// <summary>
/// Evictions from a prompt's cache on the device: SnapKV and AdaSnapKV choose there, other methods and budgets that vary by layer or head on the processor; what is kept is
/// gathered into memory of its own size.
/// </summary>
internal static class CudaEviction
{
    /// <summary>What a method keeps of a layer, in memory of its own; null: everything.</summary>
    public static CudaKept Compress(DecodeMethod method, MethodParameters parameters, CudaPromptLayer layer)
    {
        if (method is DenseDecode or PageMethod or OracleTopKDecode)
        {
            return CudaKept.All;
        }

        if (parameters.Schedule.IsUniform && method is SnapKV or AdaSnapKV { IsControl: false })
        {
            method.RequireFeasible(layer.Shape, parameters);
            if (parameters.Integer("Capacity") >= layer.Length)
            {
                return CudaKept.All;
            }

            (CudaMemory chosen, int width, int[] sizes) = ChooseOnDevice(method, parameters, layer);
            using (chosen)
            {
                return new CudaKept(Gather(layer, chosen, width, sizes), sizes.Count(n => n < layer.Length) * Forced(parameters, layer.Length), false);
            }
        }

        // The controls look at no vector.
        PromptLayer seen = method is RandomDecode or WindowSinkDecode ? layer.Outline() : layer.OnHost();
        KeptTokens? tokens = method.Compress(seen, parameters);
        if (tokens is null)
        {
            return CudaKept.All;
        }

        int[] counts = Array.ConvertAll(tokens.ByHead, t => t.Length);
        int longest = Math.Max(1, counts.Max());
        int[] indices = new int[counts.Length * longest];
        for (int head = 0; head < counts.Length; head++)
        {
            tokens.ByHead[head].CopyTo(indices, head * longest);
        }

        using var memory = CudaMemory.From<int>(layer.Keys.Device, indices);
        return new CudaKept(Gather(layer, memory, longest, counts), tokens.ForcedCount, true);
    }

    /// <summary>What SnapKV or AdaSnapKV keep of a layer, chosen on the device under a budget that holds less than all; [KV heads] ascending.</summary>
    public static int[][] Choose(DecodeMethod method, MethodParameters parameters, CudaPromptLayer layer)
    {
        (CudaMemory chosen, int width, int[] sizes) = ChooseOnDevice(method, parameters, layer);
        using (chosen)
        {
            int[] all = chosen.ToArray<int>();
            return [.. sizes.Select((size, head) => all[(head * width)..((head * width) + size)])];
        }
    }

    /// <summary>The last tokens of every head: what a sliding window can still see.</summary>
    public static CudaKeyValues Last(CudaPromptLayer layer, int count)
    {
        int[] last = [.. Enumerable.Range(layer.Length - count, count)];
        using var memory = CudaMemory.From<int>(layer.Keys.Device, [.. Enumerable.Range(0, layer.Keys.Heads).SelectMany(_ => last)]);
        return Gather(layer, memory, count, [.. Enumerable.Repeat(count, layer.Keys.Heads)]);
    }

    // Tokens [KV heads, width] of which sizes[h] are a head's.
    private static (CudaMemory Tokens, int Width, int[] Sizes) ChooseOnDevice(DecodeMethod method, MethodParameters parameters, CudaPromptLayer layer)
    {
        int capacity = parameters.Integer("Capacity");
        if (method is AdaSnapKV)
        {
            return Adaptive(parameters, layer, capacity);
        }

        int heads = layer.Keys.Heads;
        CudaMemory tokens = CudaSelection.Tokens(
            layer.Window(parameters.Integer("Window")),
            layer.Queries.Heads,
            heads,
            layer.Length,
            parameters.Integer("KernelSize"),
            capacity,
            parameters.Integer("PrefixTokens"),
            parameters.Integer("LocalWindow"),
            maxima: false);
        return (tokens, capacity, [.. Enumerable.Repeat(capacity, heads)]);
    }

    // Each head's best up to its floor, then the best of all heads together: AdaSnapKV.Keep.
    private static (CudaMemory Tokens, int Width, int[] Sizes) Adaptive(MethodParameters parameters, CudaPromptLayer layer, int capacity)
    {
        CudaDevice device = layer.Keys.Device;
        int heads = layer.Keys.Heads;
        int length = layer.Length;
        int floor = (int)Math.Max((int)Math.Floor(parameters["MinimumHeadRatio"] * capacity), Forced(parameters, length));
        using CudaMemory scores = CudaSelection.Importance(
            layer.Window(parameters.Integer("Window")), layer.Queries.Heads, heads, length, parameters.Integer("KernelSize"), maxima: true);
        device.Function("evict.cu", "forceEnds", ("TYPE", 0)).Launch(
            ((length + 255) / 256, heads, 1), 256, 0, scores, length, parameters.Integer("PrefixTokens"), parameters.Integer("LocalWindow"));
        using var flags = CudaMemory.Allocate(device, (long)heads * length * sizeof(float));
        using var counts = CudaMemory.Allocate(device, heads * sizeof(int));
        flags.Fill(0);
        counts.Fill(0);
        if (floor > 0)
        {
            using CudaMemory own = CudaSelection.Largest(device, scores, heads, length, floor);
            Mark(own, heads, floor, length);
        }

        int left = (heads * capacity) - (heads * floor);
        if (left > 0)
        {
            using CudaMemory shared = CudaSelection.Largest(device, scores, 1, heads * length, left);
            Mark(shared, 1, left, 0);
        }

        // The host needs the sizes to allocate what is kept.
        int[] sizes = counts.ToArray<int>();
        int width = sizes.Max();
        return (CudaSelection.Largest(device, flags, heads, length, width, counts), width, sizes);

        void Mark(CudaMemory indices, int lists, int listWidth, long stride) =>
            device.Function("evict.cu", "markChosen", ("TYPE", 0)).Launch((lists, 1, 1), 256, 0, indices, listWidth, stride, flags, scores, counts, length);
    }

    private static long Forced(MethodParameters parameters, int length) =>
        Math.Min(length, (long)parameters.Integer("LocalWindow") + parameters.Integer("PrefixTokens"));

    // indices [KV heads, width], of which counts[h] are a head's.
    private static CudaKeyValues Gather(CudaPromptLayer layer, CudaMemory indices, int width, int[] counts)
    {
        CudaDevice device = layer.Keys.Device;
        int stride = layer.Keys.Width;
        long[] rows = new long[counts.Length];
        for (int head = 1; head < counts.Length; head++)
        {
            rows[head] = rows[head - 1] + counts[head - 1];
        }

        long bytes = counts.Sum(n => (long)n) * stride * 2;
        CudaMemory keys = CudaMemory.Allocate(device, bytes);
        CudaMemory values = CudaMemory.Allocate(device, bytes);
        using var sizes = CudaMemory.From<int>(device, counts);
        using var offsets = CudaMemory.From<long>(device, rows);
        device.Function("evict.cu", "gatherRows", layer.Keys.TypeDefinition).Launch(
            ((counts.Max() + 7) / 8, counts.Length, 1), 256, 0, layer.Keys.Address, layer.Values.Address, keys, values, indices, width, sizes, offsets, layer.Keys.HeadStride, stride);
        return new CudaKeyValues(keys, values, Array.ConvertAll(rows, r => r * stride), counts, stride);
    }
}

/// <summary>What an eviction keeps of a layer.</summary>
/// <param name="Kept">In memory of its own; null: everything, nothing was evicted.</param>
/// <param name="Forced">Tokens that are always kept, summed over KV heads.</param>
/// <param name="ChosenOnProcessor">Whether the processor chose, from copies.</param>
internal readonly record struct CudaKept(CudaKeyValues? Kept, long Forced, bool ChosenOnProcessor)
{
    /// <summary>Nothing was evicted.</summary>
    public static CudaKept All => new(null, 0, false);
}
