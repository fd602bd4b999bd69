using SparseFrontier.Attention;
using SparseFrontier.Experiments;
using SparseFrontier.Models.Transformer;
using SparseFrontier.Tensors;
using Xunit;

namespace SparseFrontier.Tests.Models.Transformer;

/// <summary>
/// What reading a prompt allocates: the KV cache, twice the prompt's hidden states, rotary tables, and what does not grow with the prompt or is bounded by
/// an amount that is asked for: here one KV head in float32 and a group of query heads. Alone, because the whole process is counted.
/// </summary>
[Collection(nameof(PrefillMemoryTests))]
[CollectionDefinition(nameof(PrefillMemoryTests), DisableParallelization = true)]
public sealed class PrefillMemoryTests
{
    private const int Short = 2048;
    private const int Long = 6144;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    // Query heads are as wide as the hidden states, twice and four times as wide; Gemma has sliding layers, with a rotary table of their own.
    [Theory]
    [InlineData("qwen25-hub-bfloat16", 1, null)]
    [InlineData("qwen3-hub-float16", 1, null)]
    [InlineData("qwen3-hub-float16", 2, null)]
    [InlineData("qwen3-hub-float16", 2, "VerticalSlash")]
    [InlineData("qwen3-hub-float16", 2, "BlockSparse")]
    [InlineData("gemma3-v5config-bfloat16", 1, null)]
    public void A_prefill_holds_the_cache_twice_the_hidden_states_and_a_fixed_amount(string name, int wider, string? method)
    {
        using EditedCheckpoint checkpoint = Widen(name, wider);
        using var model = TransformerModel.Load(checkpoint.Directory);
        ModelConfiguration c = model.Configuration;
        Assert.Equal(4 * wider, c.QueryHeads);
        PrefillRequest request = Request(method);

        // Of a bfloat16 cache one KV head in float32, and not the layer.
        Assert.Equal(2, c.KvHeads);
        long head = model.CacheType == DataType.F32 ? 0 : 2L * c.HeadDimension * sizeof(float);

        // A group of heads: two of 32 elements; where all are no wider than the hidden states, they are among the twice of these.
        int queryWidth = c.QueryHeads * c.HeadDimension;
        long group = queryWidth <= c.HiddenSize ? 0 : 64 * sizeof(float);
        long hidden = c.HiddenSize * sizeof(float);
        long rotary = c.HeadDimension * sizeof(float) * (c.GlobalLayerCount < c.LayerCount ? 2 : 1);

        // Sums by key and offset of a window's attention, in each thread.
        long estimates = method is null ? 0 : 3 * sizeof(float) * WorkerPool.ThreadCount;
        (long shorter, long shorterCache) = Measure(model, request, Short);
        (long longer, long longerCache) = Measure(model, request, Long);
        long perToken = ((longerCache - shorterCache) / (Long - Short)) + head + (2 * hidden) + group + rotary + estimates;
        Assert.InRange(longer - shorter, 0, (Long - Short) * perToken);
        Assert.InRange(longer, longerCache, (Long * perToken) + (8 << 20));
        if (head > 0)
        {
            (long wholeShorter, _) = Measure(model, request with { WidenedBytes = long.MaxValue }, Short);
            (long wholeLonger, _) = Measure(model, request with { WidenedBytes = long.MaxValue }, Long);
            Assert.True(wholeLonger - wholeShorter > (Long - Short) * perToken, "a layer in float32 exceeds it");
        }

        if (wider > 1)
        {
            (long ungroupedShorter, _) = Measure(model, request with { QueryBytes = long.MaxValue }, Short);
            (long ungroupedLonger, _) = Measure(model, request with { QueryBytes = long.MaxValue }, Long);
            Assert.True(ungroupedLonger - ungroupedShorter > (Long - Short) * perToken, "without groups the queries alone exceed it");
        }
    }

    [Fact]
    public void The_peak_in_a_row_is_at_least_what_is_resident()
    {
        using var process = System.Diagnostics.Process.GetCurrentProcess();
        Assert.InRange(HostInformation.PeakMemoryBytes(), process.WorkingSet64, long.MaxValue);
        long before = HostInformation.PeakMemoryBytes();
        var touched = new List<NativeArray<byte>>();
        try
        {
            // Step by step: the collector gives memory back in the background, so that an amount computed beforehand may not be enough.
            do
            {
                touched.Add(new NativeArray<byte>(32 << 20));
                process.Refresh();
            }
            while (process.WorkingSet64 < before + (64 << 20) && touched.Count < 256);
            Assert.InRange(HostInformation.PeakMemoryBytes(), before + (32 << 20), before + (512 << 20));
        }
        finally
        {
            touched.ForEach(t => t.Dispose());
        }
    }

    private static PrefillRequest Request(string? method)
    {
        PrefillMethod? prefill = method is null ? null : MethodRegistry.FindPrefill(method);
        DecodeMethod dense = MethodRegistry.FindDecode("Dense");
        DecodeMethod snap = MethodRegistry.FindDecode("SnapKV");
        return new PrefillRequest
        {
            Method = prefill,
            Parameters = method switch
            {
                "VerticalSlash" => prefill!.CreateParameters("VerticalSize=1500;SlashSize=80;Window=64"),
                "BlockSparse" => prefill!.CreateParameters("BlockSize=64;TopBlocks=8"),
                _ => null,
            },
            DecodeConfigurations = [new(dense, dense.CreateParameters()), new(snap, snap.CreateParameters("Capacity=256;Window=64"))],
            QueryBytes = 0,
            WidenedBytes = 0,
        };
    }

    // Most bytes held beside the model, and those of the caches that remain.
    private static (long Peak, long Cache) Measure(TransformerModel model, PrefillRequest request, int length)
    {
        var random = new RandomSource("test/tokens");
        int[] tokens = [.. Enumerable.Range(0, length).Select(_ => random.Next(model.Configuration.VocabularySize))];
        GC.Collect();
        GC.WaitForPendingFinalizers();
        NativeMemoryUse.ResetPeak();
        long before = NativeMemoryUse.Live;
        using PromptState state = model.Prefill(tokens, request, Cancel);
        return (NativeMemoryUse.Peak - before, state.CacheBytes);
    }

    // Repeats the query heads and their columns of the output projection; room for long prompts.
    private static EditedCheckpoint Widen(string name, int times) => new EditedCheckpoint(Checkpoints.Find(name)!)
        .Configure(config =>
        {
            config["max_position_embeddings"] = 2 * Long;
            config["num_attention_heads"] = 4 * times;
        })
        .ChangeWeights(tensors =>
        {
            foreach (string tensor in tensors.Keys.Where(k => times > 1 && (k.EndsWith("q_proj.weight", StringComparison.Ordinal) || k.EndsWith("o_proj.weight", StringComparison.Ordinal))).ToArray())
            {
                (DataType type, long[] shape, byte[] bytes) = tensors[tensor];
                bool rows = tensor.EndsWith("q_proj.weight", StringComparison.Ordinal);
                byte[][] parts = rows ? [bytes] : [.. bytes.Chunk((int)(bytes.Length / shape[0]))];
                byte[] repeated = [.. parts.SelectMany(p => Enumerable.Repeat(p, times).SelectMany(x => x))];
                tensors[tensor] = (type, rows ? [shape[0] * times, shape[1]] : [shape[0], shape[1] * times], repeated);
            }
        });
}
