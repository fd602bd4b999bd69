using SparseFrontier.Kernels;
using SparseFrontier.Kernels.Reference;
using SparseFrontier.Tensors;
using Xunit;

namespace SparseFrontier.Tests.Kernels;

/// <summary>Means over neighbours against their reference, at lengths around vectors' ends and windows longer than the values.</summary>
public sealed class NeighbourMeansTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(21)]
    [InlineData(101)]
    public void Means_agree_with_the_reference(int size)
    {
        var random = new RandomSource("test/means");
        foreach (int length in (int[])[1, 2, 7, 8, 15, 16, 17, 33, 64, 100, 257])
        {
            float[] values = [.. Enumerable.Range(0, length).Select(_ => (float)random.NextDouble())];
            float[] means = new float[length];
            NeighbourMeans.Run(values, size, means);
            double[] expected = ReferenceKernels.NeighbourMeans(values, size);
            Assert.All(Enumerable.Range(0, length), i => Assert.InRange(Math.Abs(means[i] - expected[i]), 0, 1e-6));

            // Bit by bit what adding up one element after the other gives, whatever the vectors' width.
            Assert.Equal(Enumerable.Range(0, length).Select(i => Mean(values, i, size)), means);
        }
    }

    private static float Mean(float[] values, int middle, int size)
    {
        float sum = 0;
        for (int i = Math.Max(0, middle - (size / 2)); i <= Math.Min(values.Length - 1, middle + (size / 2)); i++)
        {
            sum += values[i];
        }

        return sum / size;
    }
}
