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
        const int Rows = 11;
        using var data = new Product(Rows, 95, 1100, type);
        KernelSet kernels = KernelWidths.Get(width);
        float[] alone = [.. Enumerable.Range(0, Rows).SelectMany(r => data.MatVec(kernels, r, 1))];
        for (int rows = 2; rows <= Rows; rows++)
        {
            Assert.Equal(alone[..(rows * 95)], data.MatVec(kernels, 0, rows));
        }

        using (new ThreadCountScope(1))
        {
            Assert.Equal(alone, data.MatVec(kernels, 0, Rows));
        }
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
        private readonly WeightMatrix _weight;

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

            _weight = new WeightMatrix(_data.Pointer, type, outputs, inputs);
        }

        public float[] MatMul(KernelSet kernels, int row, int rows, CancellationToken cancellationToken = default)
        {
            using var output = new NativeArray<float>((long)rows * _outputs);
            kernels.MatMul(_input.Pointer + ((long)row * _inputs), rows, _weight, _bias.Pointer, output.Pointer, cancellationToken);
            return output.Span.ToArray();
        }

        public float[] MatVec(KernelSet kernels, int row, int rows)
        {
            using var output = new NativeArray<float>((long)rows * _outputs);
            kernels.MatVec(_input.Pointer + ((long)row * _inputs), rows, _weight, _bias.Pointer, output.Pointer);
            return output.Span.ToArray();
        }

        public void Dispose()
        {
            _input.Dispose();
            _bias.Dispose();
            _data.Dispose();
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
