using SparseFrontier.Kernels;
using SparseFrontier.Tensors;
using Xunit;

namespace SparseFrontier.Tests.Kernels;

/// <summary>A row's bits depend on nothing but the row and the weights.</summary>
public unsafe class MatMulPropertyTests
{
    public static TheoryData<int, DataType> WidthsAndTypes()
    {
        var data = new TheoryData<int, DataType>();
        foreach (int width in KernelWidths.All)
        {
            data.Add(width, DataType.F32);
            data.Add(width, DataType.F16);
            data.Add(width, DataType.BF16);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(WidthsAndTypes))]
    public void Rows_in_any_chunks_on_any_number_of_threads_give_the_same_bits(int width, DataType type)
    {
        const int Rows = 203;
        using var data = new Product(Rows, 211, 600, type);
        KernelSet kernels = KernelWidths.Get(width);
        float[] whole = data.MatMul(kernels, 0, Rows);
        foreach (int chunk in (int[])[1, 7, 8, 64, 65])
        {
            Assert.Equal(whole, Enumerable.Range(0, (Rows + chunk - 1) / chunk).SelectMany(i => data.MatMul(kernels, i * chunk, Math.Min(chunk, Rows - (i * chunk)))));
        }

        using (new ThreadCountScope(1))
        {
            Assert.Equal(whole, data.MatMul(kernels, 0, Rows));
        }

        using (new ThreadCountScope(5))
        {
            Assert.Equal(whole, data.MatMul(kernels, 0, Rows));
        }
    }

    [Theory]
    [MemberData(nameof(WidthsAndTypes))]
    public void A_decoded_row_is_the_same_alone_and_in_a_batch(int width, DataType type)
    {
        const int Rows = 30;
        using var data = new Product(Rows, 95, 1100, type);
        KernelSet kernels = KernelWidths.Get(width);
        float[] alone = [.. Enumerable.Range(0, Rows).SelectMany(r => data.MatMul(kernels, r, 1))];
        for (int rows = 2; rows <= Rows; rows++)
        {
            Assert.Equal(alone[..(rows * 95)], data.MatMul(kernels, 0, rows));
        }

        using (new ThreadCountScope(1))
        {
            Assert.Equal(alone, data.MatMul(kernels, 0, Rows));
        }
    }

    [Theory]
    [MemberData(nameof(WidthsAndTypes))]
    public void Parts_of_the_weights_give_the_bits_of_the_whole(int width, DataType type)
    {
        const int Rows = 13;
        using var data = new Product(Rows, 211, 1100, type);
        KernelSet kernels = KernelWidths.Get(width);
        float[] whole = data.MatMul(kernels, 0, Rows);
        Assert.Equal(whole, data.MatMulInParts(kernels, Rows, [0, 64, 192, 211], [0, 1100]));
        Assert.Equal(whole, data.MatMulInParts(kernels, Rows, [0, 211], [0, 1, 512, 513, 1090, 1100]));
        Assert.Equal(whole, data.MatMulInParts(kernels, Rows, [0, 64, 100, 128, 211], [0, 700, 1100]));
    }

    [Fact]
    public void A_slice_of_a_slice_is_the_rectangle_that_it_names()
    {
        using var data = new Product(1, 211, 90, DataType.F32);
        WeightMatrix slice = data.Weight.Slice(64, 147, 10, 80).Slice(64, 83, 5, 70);
        Assert.Equal(83, slice.Rows);
        Assert.Equal(70, slice.Columns);
        for (int row = 0; row < 83; row++)
        {
            for (int column = 0; column < 70; column++)
            {
                Assert.Equal(data.Weight[128 + row, 15 + column], slice[row, column]);
            }
        }
    }

    [Theory]
    [InlineData(32, 64, 0, 90)]
    [InlineData(192, 20, 0, 90)]
    [InlineData(0, 64, 80, 11)]
    [InlineData(0, -1, 0, 90)]
    [InlineData(-64, 64, 0, 90)]
    [InlineData(0, 64, -1, 90)]
    public void A_slice_outside_the_matrix_or_within_a_panel_is_refused(int firstRow, int rows, int firstColumn, int columns)
    {
        using var data = new Product(1, 211, 90, DataType.F32);
        Assert.Throws<ArgumentOutOfRangeException>(() => data.Weight.Slice(firstRow, rows, firstColumn, columns));
    }

    [Fact]
    public void A_cancelled_product_throws()
    {
        using var data = new Product(300, 600, 600, DataType.F32);
        Assert.Throws<OperationCanceledException>(() => data.MatMul(KernelSets.All[0], 0, 300, new CancellationToken(true)));
    }

    private sealed class Product : IDisposable
    {
        private readonly int _outputs;
        private readonly int _inputs;
        private readonly NativeArray<float> _input;
        private readonly NativeArray<float> _bias;
        private readonly NativeArray<byte> _data;

        public Product(int rows, int outputs, int inputs, DataType type)
        {
            var random = new RandomSource("matmul");
            _outputs = outputs;
            _inputs = inputs;
            _input = Normal(random, (long)rows * inputs);
            _bias = Normal(random, outputs);
            _data = new NativeArray<byte>((long)outputs * inputs * type.SizeInBytes());
            for (long i = 0; i < _data.Length; i++)
            {
                // Any bits, but no infinities, NaNs or huge numbers: the upper byte of every element is that of a number around 1.
                bool upper = i % type.SizeInBytes() == type.SizeInBytes() - 1;
                _data.Pointer[i] = upper ? (byte)(random.Next(2) == 0 ? 0x3C : 0xBC) : (byte)random.Next(256);
            }

            Weight = new WeightMatrix(_data.Pointer, type, outputs, inputs);
        }

        public WeightMatrix Weight { get; }

        public float[] MatMul(KernelSet kernels, int row, int rows, CancellationToken cancellationToken = default)
        {
            using var output = new NativeArray<float>((long)rows * _outputs);
            kernels.MatMul(_input.Pointer + ((long)row * _inputs), rows, Weight, _bias.Pointer, output.Pointer, cancellationToken);
            return output.Span.ToArray();
        }

        /// <summary>The product of row ranges and column ranges of the weights, put together.</summary>
        public float[] MatMulInParts(KernelSet kernels, int rows, int[] outputBounds, int[] inputBounds)
        {
            using var output = new NativeArray<float>((long)rows * _outputs);
            for (int i = 0; i + 1 < outputBounds.Length; i++)
            {
                int firstOutput = outputBounds[i];
                int outputs = outputBounds[i + 1] - firstOutput;
                using var part = new NativeArray<float>((long)rows * outputs);
                for (int j = 0; j + 1 < inputBounds.Length; j++)
                {
                    int firstInput = inputBounds[j];
                    int inputs = inputBounds[j + 1] - firstInput;
                    using var input = new NativeArray<float>((long)rows * inputs);
                    for (int row = 0; row < rows; row++)
                    {
                        _input.Slice(((long)row * _inputs) + firstInput, inputs).CopyTo(input.Slice((long)row * inputs, inputs));
                    }

                    // A slice where one is possible, a rectangle of its own elsewhere.
                    using WeightMatrix weight = firstOutput % 64 == 0
                        ? Weight.Slice(firstOutput, outputs, firstInput, inputs)
                        : new WeightMatrix(
                            _data.Pointer + ((((long)firstOutput * _inputs) + firstInput) * Weight.DataType.SizeInBytes()), Weight.DataType, outputs, inputs, _inputs);
                    if (j == 0)
                    {
                        kernels.MatMul(input.Pointer, rows, weight, _bias.Pointer + firstOutput, part.Pointer, CancellationToken.None);
                    }
                    else
                    {
                        kernels.MatMulAdd(input.Pointer, rows, weight, part.Pointer, CancellationToken.None);
                    }
                }

                for (int row = 0; row < rows; row++)
                {
                    part.Slice((long)row * outputs, outputs).CopyTo(output.Slice(((long)row * _outputs) + firstOutput, outputs));
                }
            }

            return output.Span.ToArray();
        }

        public void Dispose()
        {
            _input.Dispose();
            _bias.Dispose();
            _data.Dispose();
            Weight.Dispose();
        }

        private static NativeArray<float> Normal(RandomSource random, long length)
        {
            var array = new NativeArray<float>(length);
            foreach (ref float value in array.Span)
            {
                value = (float)random.NextNormal();
            }

            return array;
        }
    }
}
