using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels;

/// <summary>An array between guards of NaN, deliberately unaligned: what uses elements beyond it turns NaN, and what writes there is noticed.</summary>
internal sealed unsafe class GuardedArray : IDisposable
{
    private const int Guard = 67;
    private readonly NativeArray<float> _memory;

    private GuardedArray(long length)
    {
        _memory = new NativeArray<float>(length + (2 * Guard));
        _memory.Span.Fill(float.NaN);
    }

    public float* Pointer => _memory.Pointer + Guard;

    public Span<float> Span => _memory.Slice(Guard, (int)_memory.Length - (2 * Guard));

    public static GuardedArray Poisoned(long length) => new(length);

    public static GuardedArray Normal(RandomSource random, long length, float deviation = 1)
    {
        var array = new GuardedArray(length);
        for (long i = 0; i < length; i++)
        {
            array.Pointer[i] = deviation * (float)random.NextNormal();
        }

        return array;
    }

    /// <summary>The elements; all NaN if a guard was overwritten.</summary>
    public float[] Read()
    {
        float[] values = Span.ToArray();
        bool intact = true;
        for (int i = 0; i < Guard; i++)
        {
            intact &= float.IsNaN(_memory.Pointer[i]) && float.IsNaN(_memory.Pointer[Guard + values.Length + i]);
        }

        if (!intact)
        {
            Array.Fill(values, float.NaN);
        }

        return values;
    }

    public void Dispose() => _memory.Dispose();
}
