using SparseFrontier.Tensors;
using Xunit;

namespace SparseFrontier.Tests.Tensors;

public unsafe class BFloat16Tests
{
    [Theory]
    [InlineData(0x3F800000u, 0x3F80)]
    [InlineData(0x3F807FFFu, 0x3F80)]
    [InlineData(0x3F808000u, 0x3F80)]
    [InlineData(0x3F808001u, 0x3F81)]
    [InlineData(0x3F818000u, 0x3F82)]
    [InlineData(0xBF818000u, 0xBF82)]
    [InlineData(0x7F7FFFFFu, 0x7F80)]
    [InlineData(0x7F800000u, 0x7F80)]
    [InlineData(0xFF800000u, 0xFF80)]
    [InlineData(0x7F800001u, 0x7FC0)]
    [InlineData(0xFFFFFFFFu, 0xFFFF)]
    [InlineData(0x00000001u, 0x0000)]
    [InlineData(0x80000000u, 0x8000)]
    public void Rounds_to_nearest_ties_to_even(uint bits, int expected)
    {
        float value = BitConverter.UInt32BitsToSingle(bits);
        Assert.Equal(expected, BFloat16.Round(value));
        Assert.Equal((uint)expected << 16, BitConverter.SingleToUInt32Bits(BFloat16.Widen((ushort)expected)));

        // In every place of a vector and of its remainder.
        float[] values = [.. Enumerable.Repeat(value, 71)];
        ushort[] rounded = new ushort[72];
        fixed (float* source = values)
        fixed (ushort* target = rounded)
        {
            BFloat16.Round(source, target, 71);
        }

        Assert.All(rounded[..71], r => Assert.Equal(expected, r));
        Assert.Equal(0, rounded[71]);
    }

    [Fact]
    public void Arrays_round_and_widen_as_their_elements_do()
    {
        var random = new RandomSource("test/bfloat16", 1);
        for (int length = 0; length < 70; length++)
        {
            float[] values = [.. Enumerable.Range(0, length).Select(_ => 100 * (float)random.NextNormal())];
            ushort[] rounded = new ushort[length];
            float[] widened = new float[length];
            fixed (float* source = values, target = widened)
            fixed (ushort* bits = rounded)
            {
                BFloat16.Round(source, bits, length);
                BFloat16.Widen(bits, target, length);
            }

            Assert.Equal(values.Select(v => BFloat16.Round(v)), rounded);
            Assert.Equal(values.Select(v => DataType.BF16.Round(v)), widened);
        }
    }
}
