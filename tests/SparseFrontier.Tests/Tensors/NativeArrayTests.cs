using SparseFrontier.Tensors;
using Xunit;

namespace SparseFrontier.Tests.Tensors;

public unsafe class NativeArrayTests
{
    [Theory]
    [InlineData(0, 64)]
    [InlineData(1, 64)]
    [InlineData((2 << 20) - 1, 64)]
    [InlineData(2 << 20, 2 << 20)]
    [InlineData((4 << 20) + 200_001, 2 << 20)]
    public void Memory_is_zeroed_and_begins_at_a_line_or_a_large_page(int length, int alignment)
    {
        using var array = new NativeArray<byte>(length);
        Assert.Equal(length, array.SizeInBytes);
        Assert.Equal(0u, (nuint)array.Pointer % (nuint)alignment);
        Assert.Equal(-1, array.Span.IndexOfAnyExcept((byte)0));
        array.Span.Fill(1);
    }

    // What was written before must not show through, whatever memory is taken again, and arrays must not overlap.
    [Fact]
    public void Large_memory_that_was_freed_comes_back_zeroed()
    {
        var random = new RandomSource("arrays");
        var held = new List<NativeArray<byte>>();
        for (int i = 0; i < 60; i++)
        {
            var array = new NativeArray<byte>((1 << 20) + random.Next(4 << 20));
            Assert.Equal(-1, array.Span.IndexOfAnyExcept((byte)0));
            array.Span.Fill((byte)(i + 1));
            held.Add(array);
            if (held.Count > 4)
            {
                int freed = random.Next(held.Count);
                Assert.Equal(-1, held[freed].Span.IndexOfAnyExcept(held[freed].Span[0]));
                held[freed].Dispose();
                held.RemoveAt(freed);
            }
        }

        held.ForEach(a => a.Dispose());
    }
}
