using SparseFrontier.Tensors;

namespace SparseFrontier.Benchmarks;

/// <summary>Inputs of kernels: numbers from -1 to 1, always the same.</summary>
internal static unsafe class RandomMatrix
{
    public static NativeArray<float> Singles(long length)
    {
        var values = new NativeArray<float>(length);
        var random = new RandomSource("benchmark");
        for (long i = 0; i < length; i++)
        {
            values.Pointer[i] = (float)((2 * random.NextDouble()) - 1);
        }

        return values;
    }

    public static NativeArray<ushort> BFloat16s(long length)
    {
        var values = new NativeArray<ushort>(length);
        var random = new RandomSource("benchmark");
        for (long i = 0; i < length; i++)
        {
            values.Pointer[i] = (ushort)(BitConverter.SingleToUInt32Bits((float)((2 * random.NextDouble()) - 1)) >> 16);
        }

        return values;
    }
}
