namespace SparseFrontier.Kernels.Cuda;

/// <summary>A kernel that is ready to run.</summary>
internal sealed unsafe class CudaFunction
{
    // What a kernel may have without asking, beside up to 8 KiB that its source declares: both together may be 48 KiB.
    private const int DefaultSharedBytes = 40 << 10;

    private readonly CudaDevice _device;
    private readonly CudaModule _module;
    private readonly nint _function;
    private readonly string _description;
    private int _sharedBytes = DefaultSharedBytes;

    public CudaFunction(CudaDevice device, CudaModule module, nint function, string description)
    {
        _device = device;
        _module = module;
        _function = function;
        _description = description;
    }

    /// <summary>Registers of a thread.</summary>
    public int Registers => Attribute(CudaFunctionAttribute.Registers);

    /// <summary>Bytes of a thread's local memory: registers that were spilled.</summary>
    public int LocalBytes => Attribute(CudaFunctionAttribute.LocalBytes);

    /// <summary>Gives the kernel to the device; it runs after all work given before.</summary>
    /// <param name="grid">Thread blocks in x, y and z; nothing happens if there are none.</param>
    /// <param name="threads">Threads of a block.</param>
    /// <param name="sharedBytes">Bytes of dynamic shared memory.</param>
    /// <param name="arguments">The kernel's arguments in order.</param>
    public void Launch((int X, int Y, int Z) grid, int threads, int sharedBytes, params ReadOnlySpan<KernelArgument> arguments) =>
        Launch(false, grid, threads, sharedBytes, arguments);

    /// <summary>As the other, for a kernel that may begin while the one before it still runs, if that one lets it, and waits for what it needs of it.</summary>
    /// <param name="early">Whether it may; before Hopper it does not in any case.</param>
    /// <param name="grid">Thread blocks in x, y and z; nothing happens if there are none.</param>
    /// <param name="threads">Threads of a block.</param>
    /// <param name="sharedBytes">Bytes of dynamic shared memory.</param>
    /// <param name="arguments">The kernel's arguments in order.</param>
    public void Launch(bool early, (int X, int Y, int Z) grid, int threads, int sharedBytes, params ReadOnlySpan<KernelArgument> arguments)
    {
        if (grid.X == 0 || grid.Y == 0 || grid.Z == 0)
        {
            return;
        }

        using CudaDevice.Scope scope = _device.Enter();
        ObjectDisposedException.ThrowIf(_module.IsClosed, _module);
        if (sharedBytes > _sharedBytes)
        {
            int code = CudaDriver.cuFuncSetAttribute(_function, CudaFunctionAttribute.MaximumDynamicSharedBytes, sharedBytes);
            if (_device.MakesRoom(code))
            {
                code = CudaDriver.cuFuncSetAttribute(_function, CudaFunctionAttribute.MaximumDynamicSharedBytes, sharedBytes);
            }

            CudaException.Check(code, $"cuFuncSetAttribute: {sharedBytes} bytes of shared memory for {_description}");
            _sharedBytes = sharedBytes;
        }

        fixed (KernelArgument* values = arguments)
        {
            void** addresses = stackalloc void*[arguments.Length];
            for (int i = 0; i < arguments.Length; i++)
            {
                addresses[i] = values[i].Address(values + i);
            }

            // The driver may bring a kernel onto the card at its first launch, and give it room for what its threads spill.
            int code = Give(early, grid, threads, sharedBytes, addresses);
            if (_device.MakesRoom(code))
            {
                code = Give(early, grid, threads, sharedBytes, addresses);
            }

            if (code != 0)
            {
                // No text is made for a launch that is well.
                CudaException.Check(code, $"cuLaunchKernel of {_description} with {grid} blocks of {threads} threads");
            }
        }
    }

    private int Give(bool early, (int X, int Y, int Z) grid, int threads, int sharedBytes, void** arguments)
    {
        if (early && _device.OverlapsKernels)
        {
            var attribute = new CudaLaunchAttribute { Kind = CudaLaunchAttribute.ProgrammaticStreamSerialization, Value = 1 };
            var configuration = new CudaLaunchConfiguration
            {
                GridX = (uint)grid.X,
                GridY = (uint)grid.Y,
                GridZ = (uint)grid.Z,
                BlockX = (uint)threads,
                BlockY = 1,
                BlockZ = 1,
                SharedBytes = (uint)sharedBytes,
                Stream = _device.Stream,
                Attributes = &attribute,
                AttributeCount = 1,
            };
            return CudaDriver.cuLaunchKernelEx(&configuration, _function, arguments, null);
        }

        return CudaDriver.cuLaunchKernel(
            _function, (uint)grid.X, (uint)grid.Y, (uint)grid.Z, (uint)threads, 1, 1, (uint)sharedBytes, _device.Stream, arguments, null);
    }

    private int Attribute(CudaFunctionAttribute attribute)
    {
        using CudaDevice.Scope scope = _device.Enter();
        CudaException.Check(CudaDriver.cuFuncGetAttribute(out int value, attribute, _function), $"cuFuncGetAttribute {attribute}");
        return value;
    }
}

/// <summary>An argument of a kernel: a number, an address on the device, or host memory whose content is passed by value.</summary>
internal readonly unsafe struct KernelArgument
{
    private readonly ulong _bits;
    private readonly void* _content;

    private KernelArgument(ulong bits) => _bits = bits;

    private KernelArgument(void* content) => _content = content;

    /// <summary>32-bit integer.</summary>
    public static implicit operator KernelArgument(int value) => new((uint)value);

    /// <summary>64-bit integer.</summary>
    public static implicit operator KernelArgument(long value) => new((ulong)value);

    /// <summary>Address on the device.</summary>
    public static implicit operator KernelArgument(ulong value) => new(value);

    /// <summary>32-bit floating-point number.</summary>
    public static implicit operator KernelArgument(float value) => new(BitConverter.SingleToUInt32Bits(value));

    /// <summary>Memory of the device, or a null address.</summary>
    public static implicit operator KernelArgument(CudaMemory? memory) => new(memory?.Address ?? 0);

    /// <summary>A structure by value, such as a tensor map; the memory must last until the launch returns.</summary>
    public static KernelArgument ByValue(void* content) => new(content);

    /// <summary>Where the driver reads the argument; <paramref name="self"/> is this value's own address.</summary>
    public void* Address(KernelArgument* self) => _content != null ? _content : &self->_bits;
}
