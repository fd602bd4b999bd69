using SparseFrontier.Attention;
using SparseFrontier.Kernels;
using SparseFrontier.Models.Transformer;
using SparseFrontier.Tensors;
using Xunit;

namespace SparseFrontier.Tests.Models.Transformer;

/// <summary>The type of the cache that decoding reads, and the memory that it takes.</summary>
public unsafe class CacheTypeTests
{
    private const string Model = "qwen25-hub-bfloat16";

    [Theory]
    [InlineData("qwen25-hub-bfloat16", DataType.BF16)]
    [InlineData("gemma3-v5config-bfloat16", DataType.BF16)]
    [InlineData("qwen3-hub-float16", DataType.F32)]
    public void Weights_decide_the_type(string name, DataType expected)
    {
        using var model = TransformerModel.Load(Checkpoints.Find(name)!);
        Assert.Equal(expected, model.CacheType);
        using PromptState prompt = Prefill(model, 10, Configuration("Dense"));
        Assert.All(prompt.Caches[0].Blocks, block => Assert.Equal(expected, block!.DataType));
    }

    // The first layer's keys and values are made before any attention, so that they differ by their rounding alone.
    [Fact]
    public void Keys_and_values_are_rounded_once_and_the_prompt_attends_to_what_is_kept()
    {
        using var model = TransformerModel.Load(Checkpoints.Find(Model)!);
        using var exact = TransformerModel.Load(Checkpoints.Find(Model)!, null, roundFrequencies: false, DataType.F32);
        DecodeConfiguration dense = Configuration("Dense");
        DecodeConfiguration snap = Configuration("SnapKV", "Capacity=24;Window=8;KernelSize=5;LocalWindow=8;PrefixTokens=2");
        using PromptState rounded = Prefill(model, 60, dense, snap);
        using PromptState expected = Prefill(exact, 60, dense);
        Assert.NotEqual(expected.LastLogits, rounded.LastLogits);
        Assert.InRange(expected.LastLogits.Zip(rounded.LastLogits, (x, y) => Math.Abs(x - y)).Max(), 0, 0.01);
        using var cache = new LayerCache(rounded.Caches[0].Blocks[0]!, ownsPrompt: false);
        using var other = new LayerCache(expected.Caches[0].Blocks[0]!, ownsPrompt: false);
        for (int token = 0; token < 60; token++)
        {
            Assert.Equal(other.ReadKey(0, token).Select(v => DataType.BF16.Round(v)), cache.ReadKey(0, token));
            Assert.Equal(other.ReadValue(0, token).Select(v => DataType.BF16.Round(v)), cache.ReadValue(0, token));
        }

        // An eviction copies what it keeps as it is.
        using var evicted = new LayerCache(rounded.Caches[1].Blocks[0]!, ownsPrompt: false);
        float[][] keys = [.. Enumerable.Range(0, 60).Select(token => cache.ReadKey(0, token))];
        Assert.Equal(24, evicted.Length(0));
        Assert.All(Enumerable.Range(0, 24), i => Assert.Contains(evicted.ReadKey(0, i), keys));
    }

    [Fact]
    public void Sequences_of_a_shared_prompt_equal_those_of_their_own()
    {
        using var model = TransformerModel.Load(Checkpoints.Find(Model)!);
        DecodeConfiguration[] configurations =
        [
            Configuration("Quest", "PageSize=8;TokenBudget=24"),
            Configuration("AdaSnapKV", "Capacity=24;Window=8;KernelSize=5;LocalWindow=8;PrefixTokens=2"),
            Configuration("Dense"),
        ];
        using PromptState shared = Prefill(model, 90, configurations);
        for (int i = 0; i < configurations.Length; i++)
        {
            using PromptState own = Prefill(model, 90, configurations[i]);
            Assert.Equal(Run(model, own, 0), Run(model, shared, i));
        }
    }

    // Evictions that together keep more than the layer has list their tokens in it: less memory than copies, and the steps are those of copies.
    [Fact]
    public void Evictions_that_keep_much_share_the_layer_s_cache()
    {
        const int Length = 200;
        using var model = TransformerModel.Load(Checkpoints.Find(Model)!);
        DecodeConfiguration[] configurations =
        [
            Configuration("SnapKV", "Capacity=90;Window=8;KernelSize=5;LocalWindow=8;PrefixTokens=2"),
            Configuration("AdaSnapKV", "Capacity=70;Window=8;KernelSize=5;LocalWindow=8;PrefixTokens=2"),
            Configuration("SnapKV", "Capacity=60;Window=8;KernelSize=5;LocalWindow=8;PrefixTokens=2"),
        ];
        ModelConfiguration c = model.Configuration;
        long whole = (long)Length * c.LayerCount * c.KvHeads * c.HeadDimension * 2 * sizeof(ushort);
        using PromptState shared = Prefill(model, Length, configurations);
        Assert.Equal(whole + (220L * c.LayerCount * c.KvHeads * sizeof(int)), shared.CacheBytes);
        for (int i = 0; i < configurations.Length; i++)
        {
            using PromptState own = Prefill(model, Length, configurations[i]);
            Assert.All(own.Caches[0].Blocks, block => Assert.False(block!.IsList));
            Assert.All(shared.Caches[i].Blocks, block => Assert.True(block!.IsList));
            Assert.Equal(Run(model, own, 0), Run(model, shared, i));
            using DecodeSequence alone = own.StartSequence(0);
            using DecodeSequence listed = shared.StartSequence(i);
            Assert.Equal(alone.Statistics.CacheBytes, listed.Statistics.CacheBytes);
        }

        // Just as much as the layer has is copied.
        using PromptState copied = Prefill(model, Length, Configuration("SnapKV", "Capacity=150;Window=8"), Configuration("SnapKV", "Capacity=50;Window=8;LocalWindow=8"));
        Assert.Equal(whole, copied.CacheBytes);
    }

    [Theory]
    [InlineData("Dense", "", 2)]
    [InlineData("SnapKV", "Capacity=24;Window=8;KernelSize=5;LocalWindow=8;PrefixTokens=2", 2)]
    [InlineData("AdaSnapKV", "Capacity=24;Window=8;KernelSize=5;LocalWindow=8;PrefixTokens=2", 2)]
    [InlineData("AdaSnapKV", "Capacity=24;Window=8;KernelSize=5;LocalWindow=8;PrefixTokens=2", 4)]
    public void Memory_falls_to_what_an_eviction_keeps(string method, string parameters, int elementBytes)
    {
        const int Length = 200;
        using var model = TransformerModel.Load(Checkpoints.Find(Model)!, null, roundFrequencies: false, elementBytes == 2 ? DataType.BF16 : DataType.F32);
        ModelConfiguration c = model.Configuration;
        using PromptState prompt = Prefill(model, Length, Configuration(method, parameters));
        long kept = method == "Dense" ? Length : 24;
        Assert.Equal(kept * c.LayerCount * c.KvHeads * c.HeadDimension * 2 * elementBytes, prompt.CacheBytes);
        using DecodeSequence sequence = prompt.StartSequence(0);
        Assert.Equal(prompt.CacheBytes, sequence.Statistics.CacheBytes);
        Assert.Equal(method == "AdaSnapKV", prompt.Caches[0].Blocks.Any(b => b!.Lengths.Distinct().Count() > 1));
        model.Step([new StepRow(sequence, 5)], [], Cancel);
        Assert.Equal((kept + 1) * c.LayerCount * c.KvHeads * c.HeadDimension * 2 * elementBytes, sequence.Statistics.CacheBytes);
        Assert.Equal((kept + 1) * c.LayerCount * c.KvHeads * c.HeadDimension * 2 * elementBytes, sequence.Statistics.BytesRead);
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static PromptState Prefill(TransformerModel model, int length, params DecodeConfiguration[] configurations)
    {
        var random = new RandomSource("test/cache", length);
        int[] tokens = [.. Enumerable.Range(0, length).Select(_ => random.Next(model.Configuration.VocabularySize))];
        return model.Prefill(tokens, new PrefillRequest { DecodeConfigurations = configurations }, Cancel);
    }

    private static DecodeConfiguration Configuration(string method, string parameters = "")
    {
        DecodeMethod found = MethodRegistry.FindDecode(method);
        return new DecodeConfiguration(found, found.CreateParameters(parameters));
    }

    private static float[] Run(TransformerModel model, PromptState prompt, int configuration)
    {
        using DecodeSequence sequence = prompt.StartSequence(configuration);
        float[] logits = new float[8 * model.Configuration.VocabularySize];
        model.Step([.. Enumerable.Range(0, 8).Select(i => new StepRow(sequence, 3 * i))], logits, Cancel);
        return logits;
    }
}
