using SparseFrontier.Tensors;
using Xunit;

namespace SparseFrontier.Tests.Tensors;

public unsafe class NativeArrayTests
{
    [Theory]
    [InlineData(0, 64)]
    [InlineData(1, 64)]
    [InlineData((4 << 20) - 1, 64)]
    [InlineData(4 << 20, 2 << 20)]
    [InlineData((4 << 20) + 200_001, 2 << 20)]
    public void Memory_is_zeroed_and_begins_at_a_line_or_a_large_page(int length, int alignment)
    {
        using var array = new NativeArray<byte>(length);
        Assert.Equal(length, array.SizeInBytes);
        Assert.Equal(0u, (nuint)array.Pointer % (nuint)alignment);
        Assert.Equal(-1, array.Span.IndexOfAnyExcept((byte)0));
        array.Span.Fill(1);
    }
}
