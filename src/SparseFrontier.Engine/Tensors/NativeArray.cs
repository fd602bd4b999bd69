using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace SparseFrontier.Tensors;

/// <summary>
/// Native memory aligned to 64 bytes, zeroed at first unless asked otherwise. The owner disposes it; the garbage collector is told of its size, and a finalizer
/// frees what an exception left behind.
/// </summary>
/// <remarks>
/// From 2 MiB on it is the system's own, begins at 2 MiB and asks for pages of 2 MiB (<see cref="HostMemory.Map"/>): a page costs one fault in place of 512, comes
/// zeroed, and what is freed goes back at once instead of leaving gaps in a heap.
/// </remarks>
/// <typeparam name="T">Element type.</typeparam>
public sealed unsafe class NativeArray<T> : IDisposable
    where T : unmanaged
{
    private T* _pointer;
    private bool _isMapped;

    /// <summary>Allocates <paramref name="length"/> zeroed elements.</summary>
    /// <param name="length">Number of elements; 0 is allowed.</param>
    /// <exception cref="ArgumentOutOfRangeException">The length is negative.</exception>
    /// <exception cref="OutOfMemoryException">The system has not that much memory.</exception>
    public NativeArray(long length)
        : this(length, zeroed: true)
    {
    }

    /// <summary>Allocates <paramref name="length"/> elements, for an owner that writes them all, without a first pass over them.</summary>
    /// <param name="length">Number of elements; 0 is allowed.</param>
    /// <param name="zeroed">Whether they are zeroed; any content otherwise.</param>
    /// <exception cref="ArgumentOutOfRangeException">The length is negative.</exception>
    /// <exception cref="OutOfMemoryException">The system has not that much memory.</exception>
    public NativeArray(long length, bool zeroed)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        Length = length;
        nuint bytes = checked((nuint)Math.Max(1, length) * (nuint)sizeof(T));
        try
        {
            _pointer = bytes >= HostMemory.LargePage ? (T*)HostMemory.Map(bytes) : null;
            _isMapped = _pointer is not null;
            _pointer = _isMapped ? _pointer : (T*)NativeMemory.AlignedAlloc(bytes, 64);
        }
        catch (OutOfMemoryException e)
        {
            throw new InsufficientMemoryException(FormattableString.Invariant($"An allocation of {bytes} bytes ({bytes / 1048576.0:F0} MiB) was refused."), e);
        }

        if (zeroed && !_isMapped)
        {
            NativeMemory.Clear(_pointer, bytes);
        }

        if (SizeInBytes > 0)
        {
            GC.AddMemoryPressure(SizeInBytes);
            NativeMemoryUse.Add(SizeInBytes);
        }
    }

    /// <summary>Frees the memory if <see cref="Dispose"/> was not called.</summary>
    ~NativeArray() => Free();

    /// <summary>Number of elements.</summary>
    public long Length { get; }

    /// <summary>Size in bytes.</summary>
    public long SizeInBytes => Length * sizeof(T);

    /// <summary>First element; valid until <see cref="Dispose"/>.</summary>
    public T* Pointer
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
            ObjectDisposedException.ThrowIf(_pointer is null, this);
            return _pointer;
        }
    }

    /// <summary>The elements, for arrays of at most 2^31 - 1 elements.</summary>
    public Span<T> Span => new(Pointer, checked((int)Length));

    /// <summary>A part of the elements.</summary>
    public Span<T> Slice(long start, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(start + length, Length);
        return new Span<T>(Pointer + start, length);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        if (_pointer is null)
        {
            return;
        }

        if (_isMapped)
        {
            HostMemory.Unmap(_pointer, (nuint)SizeInBytes);
        }
        else
        {
            NativeMemory.AlignedFree(_pointer);
        }

        _pointer = null;
        if (SizeInBytes > 0)
        {
            GC.RemoveMemoryPressure(SizeInBytes);
            NativeMemoryUse.Add(-SizeInBytes);
        }
    }
}
