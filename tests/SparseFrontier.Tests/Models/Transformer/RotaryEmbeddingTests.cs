using SparseFrontier.Models.Transformer;
using SparseFrontier.Tensors;
using Xunit;

namespace SparseFrontier.Tests.Models.Transformer;

public class RotaryEmbeddingTests
{
    [Fact]
    public void Default_frequencies_are_a_geometric_series()
    {
        float[] frequencies = Frequencies(new RotaryConfiguration { Base = 10000 }, 8);
        Assert.Equal([1f, 0.1f, 0.01f, 0.001f], frequencies);
    }

    [Fact]
    public void Linear_scaling_divides_all() =>
        Assert.Equal([0.125f, 0.0125f, 0.00125f, 0.000125f], Frequencies(new RotaryConfiguration { Scaling = RotaryScaling.Linear, Base = 10000, Factor = 8 }, 8));

    [Fact]
    public void Llama3_scaling_keeps_high_and_divides_low_frequencies()
    {
        // Llama 3.1: theta 500000, factor 8, original 8192. Wavelengths 2π/f: kept below 2048, divided beyond 8192.
        var configuration = new RotaryConfiguration { Scaling = RotaryScaling.Llama3, Base = 500000, Factor = 8, OriginalLength = 8192 };
        float[] plain = Frequencies(new RotaryConfiguration { Base = 500000 }, 128);
        float[] scaled = Frequencies(configuration, 128);
        for (int i = 0; i < 64; i++)
        {
            double wavelength = 2 * Math.PI / plain[i];
            double expected = wavelength < 2048 ? plain[i]
                : wavelength > 8192 ? plain[i] / 8
                : plain[i] * (((1 - Smooth(wavelength)) / 8) + Smooth(wavelength));
            Assert.Equal(expected, scaled[i], expected * 1e-6);
        }

        Assert.Equal(29, plain.Zip(scaled).Count(p => p.First == p.Second));

        static double Smooth(double wavelength) => ((8192 / wavelength) - 1) / 3;
    }

    [Fact]
    public void Yarn_keeps_what_turns_often_and_divides_what_turns_seldom()
    {
        // Qwen 2.5 with factor 4: theta 1e6, original 32768, d 128. Rotations 32 and 1 lie at pairs 23.6 and 39.7, rounded outwards.
        var configuration = new RotaryConfiguration { Scaling = RotaryScaling.Yarn, Base = 1e6, Factor = 4, OriginalLength = 32768 };
        float[] plain = Frequencies(new RotaryConfiguration { Base = 1e6 }, 128);
        float[] scaled = Frequencies(configuration, 128);
        for (int i = 0; i < 64; i++)
        {
            double ramp = Math.Clamp((i - 23) / 17.0, 0, 1);
            double expected = (plain[i] / 4 * ramp) + (plain[i] * (1 - ramp));
            Assert.Equal(expected, scaled[i], expected * 1e-6);
        }

        Assert.Equal((0.1 * Math.Log(4)) + 1, new RotaryEmbedding(configuration, 128).AttentionFactor, 6);
        Assert.Equal(1.5f, new RotaryEmbedding(configuration with { AttentionFactor = 1.5 }, 128).AttentionFactor);
        Assert.Equal(1f, new RotaryEmbedding(configuration with { Factor = 1 }, 128).AttentionFactor);

        float[] ragged = Frequencies(configuration with { Truncate = false }, 128);
        Assert.Equal(plain[23], ragged[23]);
        Assert.NotEqual(scaled[24], ragged[24]);
    }

    [Fact]
    public unsafe void Rows_hold_cosines_and_sines_of_float32_angles_whatever_rows_are_beside_them()
    {
        var embedding = new RotaryEmbedding(new RotaryConfiguration { Base = 10000 }, 64);
        using RotaryTable whole = embedding.CreateTable(600);
        using RotaryTable chunk = embedding.CreateTable(100);
        whole.Require(0, 300);
        whole.Require(300, 300);
        Span<float> cosines = stackalloc float[32];
        Span<float> sines = stackalloc float[32];
        foreach (int position in (int[])[0, 1, 255, 256, 300, 599, 7])
        {
            fixed (float* c = cosines, s = sines)
            {
                embedding.Fill(position, c, s);
            }

            int first = Math.Max(0, position - 50);
            chunk.Require(first, 100);
            foreach (RotaryTable table in (RotaryTable[])[whole, chunk])
            {
                Assert.Equal(cosines, new ReadOnlySpan<float>(table.Cosines(position), 32));
                Assert.Equal(sines, new ReadOnlySpan<float>(table.Sines(position), 32));
            }

            for (int i = 0; i < 32; i++)
            {
                Assert.Equal((float)Math.Cos(position * embedding.Frequencies[i]), cosines[i], 1e-7f);
            }
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => chunk.Require(0, 101));
    }

    [Fact]
    public void Frequencies_can_be_rounded_to_a_stored_type()
    {
        var rounded = new RotaryEmbedding(new RotaryConfiguration { Base = 10000 }, 8, DataType.BF16);
        Assert.Equal([1f, 0.10009765625f, 0.010009765625f, 0.00099945068359375f], rounded.Frequencies.ToArray());
    }

    private static float[] Frequencies(RotaryConfiguration configuration, int dimension) => new RotaryEmbedding(configuration, dimension).Frequencies.ToArray();
}
