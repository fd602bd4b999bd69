using System.Runtime.InteropServices;
using SparseFrontier.Kernels.Cuda;

namespace SparseFrontier.Models.Transformer.Cuda;

/// <summary>Small arrays of a step, packed on the host and copied to the device at once.</summary>
internal sealed class StepMemory
{
    private const int Alignment = 16;
    private byte[] _bytes = new byte[1 << 16];
    private int _length;

    /// <summary>Bytes packed so far.</summary>
    public int Length => _length;

    /// <summary>Forgets what was packed.</summary>
    public void Clear() => _length = 0;

    /// <summary>Appends an array; returns where it begins.</summary>
    public int Add<T>(ReadOnlySpan<T> values)
        where T : unmanaged
    {
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(values);
        int offset = (_length + Alignment - 1) / Alignment * Alignment;
        if (offset + bytes.Length > _bytes.Length)
        {
            Array.Resize(ref _bytes, Math.Max(offset + bytes.Length, 2 * _bytes.Length));
        }

        bytes.CopyTo(_bytes.AsSpan(offset));
        _length = offset + bytes.Length;
        return offset;
    }

    /// <summary>The arrays on the device.</summary>
    public CudaMemory Upload(CudaDevice device) => CudaMemory.From<byte>(device, _bytes.AsSpan(0, _length));
}
