using SparseFrontier.Models.Transformer;
using SparseFrontier.Models.Transformer.Cuda;
using Xunit;

namespace SparseFrontier.Tests.Models.Transformer;

/// <summary>Which layers lie on which GPU: arithmetic alone.</summary>
public class LayerPlacementTests
{
    private const long Gigabyte = 1L << 30;

    [Theory]
    [InlineData("10,10,10,10", 0, 0, 0, "100,100", "2,4")]
    [InlineData("10,10,10,10", 0, 0, 0, "100,100,100,100", "1,2,3,4")]
    [InlineData("10,10,10,10,10,10", 20, 0, 0, "100,100", "2,6")]
    [InlineData("10,10,10,10,10,10", 0, 20, 0, "100,100", "4,6")]
    [InlineData("10,10,10,10,10,10", 0, 0, 5, "40,80", "2,6")]
    [InlineData("10,10,10,10,10,10", 0, 0, 0, "15,25,30", "1,3,6")]
    [InlineData("30,10,10,10", 0, 0, 0, "100,100", "1,4")]
    [InlineData("10", 5, 5, 5, "25", "1")]
    public void Layers_are_divided_so_that_the_fullest_is_as_empty_as_can_be(string layers, long first, long last, long each, string capacities, string ends) =>
        Assert.Equal(Numbers(ends).Select(n => (int)n), LayerPlacement.Divide(Numbers(layers), first, last, each, Numbers(capacities)));

    [Theory]
    [InlineData("10", 5, 5, 5, "24")]
    [InlineData("10,10", 0, 0, 0, "15")]
    [InlineData("10,10", 0, 0, 0, "9,100")]
    [InlineData("10,10", 0, 0, 0, "30,30,30")]
    [InlineData("10,10,10", 0, 0, 0, "25,5")]
    public void What_does_not_fit_is_not_divided(string layers, long first, long last, long each, string capacities) =>
        Assert.Null(LayerPlacement.Divide(Numbers(layers), first, last, each, Numbers(capacities)));

    [Fact]
    public void Division_is_a_partition_that_fits_wherever_one_is_found()
    {
        var random = new Random(5);
        int found = 0;
        for (int trial = 0; trial < 2000; trial++)
        {
            long[] layers = [.. Enumerable.Range(0, random.Next(1, 30)).Select(_ => (long)random.Next(1, 50))];
            long[] capacities = [.. Enumerable.Range(0, random.Next(1, 6)).Select(_ => (long)random.Next(1, 600))];
            (long first, long last, long each) = (random.Next(40), random.Next(40), random.Next(40));
            if (LayerPlacement.Divide(layers, first, last, each, capacities) is not { } ends)
            {
                continue;
            }

            found++;
            Assert.Equal(layers.Length, ends[^1]);
            for (int gpu = 0; gpu < ends.Length; gpu++)
            {
                int begin = gpu == 0 ? 0 : ends[gpu - 1];
                Assert.InRange(ends[gpu], begin + 1, layers.Length);
                long bytes = layers[begin..ends[gpu]].Sum() + each + (gpu == 0 ? first : 0) + (gpu == ends.Length - 1 ? last : 0);
                Assert.InRange(bytes, 0, capacities[gpu]);
            }
        }

        Assert.InRange(found, 200, 2000);
    }

    [Theory]
    [InlineData(8192, "140,140", 1)]
    [InlineData(65536, "140,140", 1)]
    [InlineData(65536, "80,80", 2)]
    [InlineData(8192, "80,80", 1)]
    [InlineData(65536, "40,40,40,40,40,40,40,40", 3)]
    [InlineData(8192, "24,24,24,24", 4)]
    public void A_model_of_32B_takes_as_few_GPUs_as_hold_it(int length, string gigabytes, int count) =>
        Assert.Equal(count, LayerPlacement.CountFor(Qwen32B(), length, [.. Numbers(gigabytes).Select(n => n * Gigabyte)]));

    [Fact]
    public void A_model_that_fits_nowhere_is_refused_with_what_it_needs_and_what_there_is()
    {
        var error = Assert.Throws<SparseFrontierException>(() => LayerPlacement.CountFor(Qwen32B(), 65536, [24 * Gigabyte, 24 * Gigabyte]));
        Assert.Equal(ErrorIds.DeviceOutOfMemory, error.ErrorId);
        Assert.Contains("a prompt of 65536 tokens need about 78.9 GiB", error.Message, StringComparison.Ordinal);
        Assert.Contains("the 2 GPUs have 42.6 GiB", error.Message, StringComparison.Ordinal);
    }

    private static ModelConfiguration Qwen32B() => new()
    {
        Family = "qwen2",
        LayerCount = 64,
        HiddenSize = 5120,
        IntermediateSize = 27648,
        QueryHeads = 40,
        KvHeads = 8,
        HeadDimension = 128,
        VocabularySize = 152064,
        ContextLength = 131072,
        NativeContextLength = 32768,
        StopTokens = [2],
        SlidingWindows = new int[64],
        Rotary = new RotaryConfiguration { Base = 1e6 },
        SlidingRotary = new RotaryConfiguration { Base = 1e6 },
        NormEpsilon = 1e-6f,
        AttentionScale = 0.088f,
        Activation = default,
        ExtendsByYarn = true,
    };

    private static long[] Numbers(string text) => [.. text.Split(',').Select(long.Parse)];
}
