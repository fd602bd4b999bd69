using System.Runtime.InteropServices;

namespace SparseFrontier.Kernels.Cuda;

/// <summary>
/// A thing that belongs to a device's context. It is freed by <see cref="SafeHandle.Dispose()"/>, or by its finalizer after an exception; freeing makes
/// the context current on the thread that does it.
/// </summary>
internal abstract class CudaHandle : SafeHandle
{
    protected CudaHandle(CudaDevice device, nint value)
        : base(0, ownsHandle: true)
    {
        Device = device;
        SetHandle(value);
    }

    /// <summary>The device that it lives on.</summary>
    public CudaDevice Device { get; }

    /// <inheritdoc/>
    public override bool IsInvalid => handle == 0;

    /// <summary>The driver's value; valid until disposed.</summary>
    public nint Value
    {
        get
        {
            ObjectDisposedException.ThrowIf(IsClosed, this);
            return handle;
        }
    }

    /// <inheritdoc/>
    protected sealed override bool ReleaseHandle()
    {
        // As the device's owner: a finalizer must not get into work that another thread records.
        using CudaDevice.Scope scope = Device.Enter();
        return Free(handle) == 0;
    }

    /// <summary>Frees it; returns CUDA's code.</summary>
    protected abstract int Free(nint value);
}

/// <summary>
/// Memory of a device, from its pool: allocated and freed in the order of the device's work, so that neither waits, and memory that is given back serves the next
/// operation.
/// </summary>
internal sealed unsafe class CudaMemory : CudaHandle
{
    private CudaMemory(CudaDevice device, nint address, long bytes)
        : base(device, address) =>
        SizeInBytes = bytes;

    /// <summary>Size in bytes.</summary>
    public long SizeInBytes { get; }

    /// <summary>Address on the device.</summary>
    public ulong Address => (ulong)Value;

    /// <summary>Allocates memory, not cleared; 0 bytes are allowed.</summary>
    /// <exception cref="CudaException">DeviceOutOfMemory.</exception>
    public static CudaMemory Allocate(CudaDevice device, long bytes)
    {
        using CudaDevice.Scope scope = device.Enter();
        int code = CudaDriver.cuMemAllocAsync(out ulong address, (nuint)Math.Max(16, bytes), device.Stream);
        if (device.MakesRoom(code))
        {
            code = CudaDriver.cuMemAllocAsync(out address, (nuint)Math.Max(16, bytes), device.Stream);
        }

        CudaException.Check(code, () => FormattableString.Invariant(
            $"cuMemAllocAsync of {bytes / 1048576.0:F1} MiB on {device.Name} ({device.FreeBytes / 1048576.0:F0} of {device.Properties.MemoryBytes / 1048576.0:F0} MiB free)"));

        return new CudaMemory(device, (nint)address, bytes);
    }

    /// <summary>
    /// Frees what calls that failed had allocated for objects that never came to be: finalizers do that, and are waited for. They take the devices' locks, so that the caller
    /// must hold none. An object that the calling method itself began to make may be kept by its frame.
    /// </summary>
    public static void FreeUnowned()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
    }

    /// <summary>Memory that holds a copy of host data.</summary>
    public static CudaMemory From<T>(CudaDevice device, ReadOnlySpan<T> data)
        where T : unmanaged
    {
        CudaMemory memory = Allocate(device, (long)data.Length * sizeof(T));
        fixed (T* source = data)
        {
            memory.Upload(source, memory.SizeInBytes);
        }

        return memory;
    }

    /// <summary>Copies from the host, in the order of the device's work; the source may be changed afterwards.</summary>
    public void Upload(void* source, long bytes, long offset = 0)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset + bytes, SizeInBytes);
        using CudaDevice.Scope scope = Device.Enter();
        if (bytes > 0)
        {
            CudaException.Check(CudaDriver.cuMemcpyHtoDAsync(Address + (ulong)offset, source, (nuint)bytes, Device.Stream), "cuMemcpyHtoDAsync");
        }
    }

    /// <summary>Copies to the host and waits for all work before it.</summary>
    public void Download(void* target, long bytes, long offset = 0)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset + bytes, SizeInBytes);
        using CudaDevice.Scope scope = Device.Enter();
        if (bytes > 0)
        {
            CudaException.Check(CudaDriver.cuMemcpyDtoHAsync(target, Address + (ulong)offset, (nuint)bytes, Device.Stream), "cuMemcpyDtoHAsync");
            Device.Synchronize();
        }
    }

    /// <summary>The whole memory as an array.</summary>
    public T[] ToArray<T>()
        where T : unmanaged
    {
        var result = new T[SizeInBytes / sizeof(T)];
        fixed (T* target = result)
        {
            Download(target, (long)result.Length * sizeof(T));
        }

        return result;
    }

    /// <summary>Copies from another place on the device.</summary>
    public void CopyFrom(ulong source, long bytes, long offset = 0)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset + bytes, SizeInBytes);
        using CudaDevice.Scope scope = Device.Enter();
        CudaException.Check(CudaDriver.cuMemcpyDtoDAsync(Address + (ulong)offset, source, (nuint)bytes, Device.Stream), "cuMemcpyDtoDAsync");
    }

    /// <summary>Copies the beginning of memory of another device: after the work given to that device so far, and in the order of this one's. The source must last until then.</summary>
    public void CopyFrom(CudaMemory source, long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, Math.Min(SizeInBytes, source.SizeInBytes));
        using CudaEvent written = CudaEvent.Record(source.Device);
        using CudaDevice.Scope scope = Device.Enter();
        CudaException.Check(CudaDriver.cuStreamWaitEvent(Device.Stream, written.Value, 0), "cuStreamWaitEvent");
        CudaException.Check(
            CudaDriver.cuMemcpyPeerAsync(Address, Device.Context, source.Address, source.Device.Context, (nuint)bytes, Device.Stream),
            $"cuMemcpyPeerAsync from {source.Device.Name} to {Device.Name}");
    }

    /// <summary>Sets every byte, in the order of the device's work.</summary>
    public void Fill(byte value)
    {
        using CudaDevice.Scope scope = Device.Enter();
        CudaException.Check(CudaDriver.cuMemsetD8Async(Address, value, (nuint)SizeInBytes, Device.Stream), "cuMemsetD8Async");
    }

    /// <inheritdoc/>
    protected override int Free(nint value) => CudaDriver.cuMemFreeAsync((ulong)value, Device.Stream);
}

/// <summary>A compiled program on a device.</summary>
internal sealed class CudaModule(CudaDevice device, nint module) : CudaHandle(device, module)
{
    /// <inheritdoc/>
    protected override int Free(nint value) => CudaDriver.cuModuleUnload(value);
}

/// <summary>A point in the order of a device's work, to measure with.</summary>
internal sealed class CudaEvent(CudaDevice device, nint value) : CudaHandle(device, value)
{
    /// <summary>Records a new event after the work given to the device so far.</summary>
    public static CudaEvent Record(CudaDevice device)
    {
        using CudaDevice.Scope scope = device.Enter();
        CudaException.Check(CudaDriver.cuEventCreate(out nint value, 0), "cuEventCreate");
        var result = new CudaEvent(device, value);
        CudaException.Check(CudaDriver.cuEventRecord(value, device.Stream), "cuEventRecord");
        return result;
    }

    /// <summary>Moves the event to after the work given to the device so far.</summary>
    public void RecordAgain()
    {
        using CudaDevice.Scope scope = Device.Enter();
        CudaException.Check(CudaDriver.cuEventRecord(Value, Device.Stream), "cuEventRecord");
    }

    /// <summary>Waits until the work before the event is done.</summary>
    public void Await()
    {
        using CudaDevice.Scope scope = Device.Enter();
        CudaException.Check(CudaDriver.cuEventSynchronize(Value), "A kernel or copy before cuEventSynchronize");
    }

    /// <summary>Waits for this event and tells the milliseconds since an earlier one.</summary>
    public double MillisecondsSince(CudaEvent earlier)
    {
        using CudaDevice.Scope scope = Device.Enter();
        CudaException.Check(CudaDriver.cuEventSynchronize(Value), "cuEventSynchronize");
        CudaException.Check(CudaDriver.cuEventElapsedTime(out float milliseconds, earlier.Value, Value), "cuEventElapsedTime");
        return milliseconds;
    }

    /// <inheritdoc/>
    protected override int Free(nint value) => CudaDriver.cuEventDestroy(value);
}
