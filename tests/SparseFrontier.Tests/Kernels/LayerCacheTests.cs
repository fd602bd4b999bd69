using SparseFrontier.Kernels;
using Xunit;

namespace SparseFrontier.Tests.Kernels;

public unsafe class LayerCacheTests
{
    [Fact]
    public void Appended_tokens_follow_the_prompt_of_each_head()
    {
        using LayerCache cache = Create([3, 5]);
        Append(cache, 200);
        Assert.Equal(203, cache.Length(0));
        Assert.Equal(205, cache.Length(1));
        for (int t = 0; t < 200; t++)
        {
            Assert.Equal(t, cache.ReadKey(0, 3 + t)[0]);
            Assert.Equal(1000 + t, cache.ReadKey(1, 5 + t)[1]);
            Assert.Equal(-t, cache.ReadValue(0, 3 + t)[0]);
            Assert.Equal(-1000 - t, cache.ReadValue(1, 5 + t)[1]);
        }

        Assert.Equal(-1, cache.ReadKey(0, 2)[0]);
        Assert.Equal(-1, cache.ReadKey(1, 4)[0]);
    }

    [Fact]
    public void Truncated_tokens_are_overwritten()
    {
        using LayerCache cache = Create([1, 1]);
        Append(cache, 10);
        cache.Truncate(4);
        Assert.Equal(5, cache.Length(1));
        Append(cache, 1);
        Assert.Equal(6, cache.Length(1));
        Assert.Equal(3, cache.ReadKey(0, 4)[0]);
        Assert.Equal(0, cache.ReadKey(0, 5)[0]);
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Truncate(6));
    }

    [Fact]
    public void Heads_of_different_lengths_have_no_common_view()
    {
        using var block = new KeyValueBlock([2, 3], 4);
        Assert.Throws<InvalidOperationException>(() => block.Keys);
        Assert.Equal(2 * 5 * 4 * sizeof(float), block.SizeInBytes);
    }

    private static LayerCache Create(int[] promptLengths)
    {
        var block = new KeyValueBlock(promptLengths, 2);
        for (int h = 0; h < promptLengths.Length; h++)
        {
            new Span<float>(block.Key(h, 0), promptLengths[h] * 2).Fill(-1);
        }

        return new LayerCache(block, ownsPrompt: true);
    }

    private static void Append(LayerCache cache, int tokens)
    {
        float* keys = stackalloc float[4];
        float* values = stackalloc float[4];
        for (int t = 0; t < tokens; t++)
        {
            keys[0] = keys[1] = t;
            keys[2] = keys[3] = 1000 + t;
            for (int i = 0; i < 4; i++)
            {
                values[i] = -keys[i];
            }

            cache.Append(keys, values);
        }
    }
}
