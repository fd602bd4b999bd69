using SparseFrontier.Kernels;
using SparseFrontier.Kernels.Reference;
using SparseFrontier.Tensors;
using Xunit;

namespace SparseFrontier.Tests.Kernels;

/// <summary>The reference kernels against numbers worked out by hand: everything else is compared with them.</summary>
public unsafe class ReferenceKernelsTests
{
    private static readonly ReferenceKernels s_kernels = new();

    [Fact]
    public void A_linear_layer_multiplies_with_the_transposed_weights_and_adds_the_bias()
    {
        float[] input = [1, 2, 3, 4];
        float[] weights = [1, 10, 2, 20, 3, 30];
        float[] bias = [0.5f, 0, -1];
        float[] output = new float[6];
        fixed (float* x = input, w = weights, b = bias, y = output)
        {
            s_kernels.MatMul(x, 2, new WeightMatrix(w, DataType.F32, 3, 2), b, y, CancellationToken.None);
            Assert.Equal([21.5f, 42, 62, 43.5f, 86, 128], output);
            s_kernels.MatMul(x, 2, new WeightMatrix(w, DataType.F32, 3, 2), null, y, CancellationToken.None);
            Assert.Equal([21, 42, 63, 43, 86, 129], output);
        }
    }

    [Theory]
    [InlineData(DataType.BF16, 0x3FC0, 1.5f)]
    [InlineData(DataType.BF16, 0xC000, -2f)]
    [InlineData(DataType.BF16, 0x0001, 9.1835e-41f)]
    [InlineData(DataType.F16, 0x3E00, 1.5f)]
    [InlineData(DataType.F16, 0xC000, -2f)]
    [InlineData(DataType.F16, 0x0001, 5.9604645e-8f)]
    [InlineData(DataType.F16, 0x7C00, float.PositiveInfinity)]
    [InlineData(DataType.F16, 0xFC00, float.NegativeInfinity)]
    public void Short_weights_are_widened_exactly(DataType type, int bits, float value)
    {
        // Sixteen equal weights, so that all widths of the fast kernels read them in vectors.
        ushort[] weights = new ushort[16];
        Array.Fill(weights, (ushort)bits);
        float[] input = new float[16];
        float[] output = new float[1];
        foreach (KernelSet kernels in (KernelSet[])[s_kernels, .. KernelWidths.All.Select(KernelWidths.Get)])
        {
            for (int i = 0; i < (float.IsInfinity(value) ? 0 : 16); i++)
            {
                Array.Clear(input);
                input[i] = 1;
                Assert.Equal(value, Multiply());
            }

            Array.Fill(input, 1f);
            Assert.Equal(16 * value, Multiply());

            float Multiply()
            {
                fixed (float* x = input, y = output)
                fixed (ushort* w = weights)
                {
                    kernels.MatMul(x, 1, new WeightMatrix(w, type, 1, 16), null, y, CancellationToken.None);
                }

                return output[0];
            }
        }
    }

    [Theory]
    [InlineData(DataType.I32)]
    [InlineData(DataType.F64)]
    public void Weights_of_another_type_are_refused(DataType type) =>
        Assert.Throws<ArgumentException>(() => new WeightMatrix(null, type, 1, 1));

    [Fact]
    public void A_norm_divides_by_the_root_mean_square()
    {
        float[] x = [3, 4];
        float[] weight = [2, 1];
        fixed (float* p = x, w = weight)
        {
            s_kernels.RmsNorm(p, 1, 2, w, 0.5f, p);
        }

        Assert.Equal(6 / Math.Sqrt(13), x[0], 1e-6);
        Assert.Equal(4 / Math.Sqrt(13), x[1], 1e-6);
    }

    [Fact]
    public void A_quarter_turn_swaps_the_halves()
    {
        float[] x = [1, 2, 3, 4];
        float[] cosines = [0, 1];
        float[] sines = [1, 0];
        fixed (float* p = x, c = cosines, s = sines)
        {
            s_kernels.Rotate(p, 1, 1, 4, c, s);
        }

        Assert.Equal([-3, 2, 1, 4], x);
    }

    [Theory]
    [InlineData(GateActivation.Silu, 1, 0.7310586)]
    [InlineData(GateActivation.Silu, -2, -0.2384058)]
    [InlineData(GateActivation.GeluTanh, 1, 0.8411920)]
    [InlineData(GateActivation.GeluTanh, -0.5, -0.1542860)]
    public void Activations_have_their_known_values(GateActivation activation, float x, double expected)
    {
        float up = 2;
        s_kernels.Gate(&x, &up, 1, activation);
        Assert.Equal(2 * expected, x, 1e-6);
    }

    [Fact]
    public void Softmax_weighs_by_the_exponential_of_the_scaled_score()
    {
        // Scores of the second row: 0.5 · (0, 2 ln 3) = (0, ln 3): weights 1/4 and 3/4.
        float[] queries = [9, 1];
        float[] keys = [0, 2 * MathF.Log(3)];
        float[] values = [8, 4];
        float[] output = new float[2];
        float[] logarithms = new float[2];
        fixed (float* q = queries, k = keys, v = values, o = output, l = logarithms)
        {
            s_kernels.PrefillAttention(
                HeadTensor.HeadMajor(q, 1, 2, 1),
                HeadTensor.HeadMajor(k, 1, 2, 1),
                HeadTensor.HeadMajor(v, 1, 2, 1),
                0.5f,
                [AttentionPlan.Dense(2)],
                0,
                HeadTensor.HeadMajor(o, 1, 2, 1),
                l,
                CancellationToken.None);
        }

        Assert.Equal(8, output[0], 1e-6);
        Assert.Equal(5, output[1], 1e-6);
        Assert.Equal(0, logarithms[0], 1e-6);
        Assert.Equal(Math.Log(4), logarithms[1], 1e-6);
    }

    [Fact]
    public void The_last_window_is_summed_by_key_and_by_offset()
    {
        // Equal scores: row 1 gives 1/2 to each of two keys, row 2 gives 1/3 to each of three.
        float[] zeros = new float[3];
        float[] columns = new float[3];
        float[] diagonals = new float[3];
        float[] maxima = new float[3];
        fixed (float* z = zeros)
        {
            var tensor = HeadTensor.HeadMajor(z, 1, 3, 1);
            s_kernels.LastWindowAttention(tensor, tensor, 0, 2, 1, columns, diagonals, maxima);
        }

        Assert.Equal([(float)(5.0 / 6), (float)(5.0 / 6), (float)(1.0 / 3)], columns);
        Assert.Equal([(float)(5.0 / 6), (float)(5.0 / 6), (float)(1.0 / 3)], diagonals);
        Assert.Equal([0.5f, 0.5f, (float)(1.0 / 3)], maxima);
    }

    [Fact]
    public void Exactly_the_pairs_of_the_mask_are_attended_to()
    {
        // With the unit vectors as values an output is the row of weights.
        const int Rows = 40;
        var random = new RandomSource("pairs");
        using var queries = new NativeArray<float>(Rows * Rows);
        using var values = new NativeArray<float>(Rows * Rows);
        using var output = new NativeArray<float>(Rows * Rows);
        foreach (ref float x in queries.Span)
        {
            x = (float)(0.1 * random.NextNormal());
        }

        for (int i = 0; i < Rows; i++)
        {
            values.Pointer[(i * Rows) + i] = 1;
        }

        for (int trial = 0; trial < 30; trial++)
        {
            AttentionPlan plan = KernelCorrectness.RandomPlan(random, Rows, random.Next(1, 50), 0.5);
            int window = trial % 3 == 0 ? random.Next(1, Rows) : 0;
            bool[,] mask = ReferenceMask.Create(plan, window);
            foreach (KernelSet kernels in (KernelSet[])[s_kernels, .. KernelWidths.All.Select(KernelWidths.Get)])
            {
                var q = HeadTensor.HeadMajor(queries.Pointer, 1, Rows, Rows);
                var v = HeadTensor.HeadMajor(values.Pointer, 1, Rows, Rows);
                kernels.PrefillAttention(q, q, v, 1, [plan], window, HeadTensor.HeadMajor(output.Pointer, 1, Rows, Rows), null, CancellationToken.None);
                for (int row = 0; row < Rows; row++)
                {
                    for (int key = 0; key < Rows; key++)
                    {
                        Assert.Equal(mask[row, key], output.Pointer[(row * Rows) + key] != 0);
                    }
                }
            }
        }
    }
}
