using SparseFrontier.Attention;
using SparseFrontier.Models.Transformer;
using SparseFrontier.Tensors;
using Xunit;

namespace SparseFrontier.Tests.Models.Transformer;

/// <summary>What methods and observers see of a prompt's keys and values, by the type of the cache.</summary>
public sealed class PromptCacheTypeTests
{
    [Theory]
    [InlineData("qwen25-hub-bfloat16", DataType.BF16, 1, null)]
    [InlineData("qwen25-hub-bfloat16", DataType.BF16, 2, 64L << 20)]
    [InlineData("qwen3-hub-float16", DataType.F32, 2, 0L)]
    public void Methods_and_observers_see_keys_and_values_as_the_cache_stores_them(string name, DataType type, int headsAtOnce, long? bytes)
    {
        using var model = TransformerModel.Load(Checkpoints.Find(name)!);
        Assert.Equal(type, model.CacheType);
        int[] tokens = [.. Enumerable.Range(0, 70).Select(i => i * 7 % model.Configuration.VocabularySize)];
        var method = new ReadingMethod();
        var observed = new List<float[]>();
        var request = new PrefillRequest
        {
            DecodeConfigurations = [new DecodeConfiguration(method, method.CreateParameters())],
            LayerObserver = layer => observed.Add(Read(layer, 0, layer.KvHeads)),
            WidenedBytes = bytes ?? 0,
        };
        using PromptState prompt = model.Prefill(tokens, request, TestContext.Current.CancellationToken);
        Assert.Equal(observed, method.Layers);
        Assert.Equal(headsAtOnce, method.HeadsAtOnce);
        Assert.Equal(type == DataType.BF16, method.KeysRefused);
        Assert.Equal(type == DataType.BF16, observed.SelectMany(values => values).All(v => BFloat16.Widen(BFloat16.Round(v)) == v));
        using DecodeSequence sequence = prompt.StartSequence(0);
        Assert.Equal(2L * model.Configuration.KvHeads * 70 * model.Configuration.HeadDimension * type.SizeInBytes() * model.Configuration.LayerCount, sequence.Statistics.CacheBytes);
    }

    // Keys and values of some KV heads, one after the other.
    private static float[] Read(PromptLayer layer, int firstHead, int heads) =>
    [
        .. Enumerable.Range(firstHead, heads).SelectMany(head => Enumerable.Range(0, layer.Length)
            .SelectMany(row => (float[])[.. layer.Keys.RowSpan(head, row), .. layer.Values.RowSpan(head, row)])),
    ];

    /// <summary>Evicts nothing and remembers what it could read.</summary>
    private sealed class ReadingMethod : DecodeMethod
    {
        public override string Name => "Reading";

        public override MethodTaxonomy Taxonomy => new("tokens", "none", "uniform", "full cache");

        public override string Description => "Reads keys and values.";

        public override string Source => "A test";

        public override IReadOnlyList<MethodParameter> Parameters => [];

        public override string? BudgetParameter => null;

        public List<float[]> Layers { get; } = [];

        public int HeadsAtOnce { get; private set; }

        public bool KeysRefused { get; private set; }

        public override KeptTokens? Compress(PromptLayer layer, MethodParameters parameters)
        {
            try
            {
                _ = layer.Keys;
            }
            catch (InvalidOperationException)
            {
                KeysRefused = true;
            }

            var values = new List<float>();
            layer.ForKvHeads((part, first, count) =>
            {
                HeadsAtOnce = count;
                values.AddRange(Read(part, first, count));
            });
            Layers.Add([.. values]);
            return null;
        }
    }
}
