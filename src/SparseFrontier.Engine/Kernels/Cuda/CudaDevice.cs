using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.InteropServices;

namespace SparseFrontier.Kernels.Cuda;

/// <summary>
/// One GPU. Its work goes through one stream, in the order in which it is given, under one lock: whoever holds <see cref="Enter"/>'s scope is the
/// device's owner for that time, and the device's context is current on that thread. Lives as long as the process.
/// </summary>
public sealed unsafe class CudaDevice
{
    private const int FewestArrivals = 1 << 16;
    private static readonly ConcurrentDictionary<int, Lazy<CudaDevice>> s_devices = new();
    private readonly Lock _lock = new();
    private readonly ConcurrentDictionary<(string File, string Name), (int[] Values, CudaFunction Function)[]> _functions = new();

    // The last of a set is the largest. Recordings hold the addresses of those before.
    private readonly List<CudaMemory>[] _arrivals = [[], []];

    private CudaDevice(int ordinal)
    {
        Ordinal = ordinal;
        CudaException.Check(CudaDriver.cuDeviceGet(out int device, ordinal), "cuDeviceGet");
        CudaDeviceProperties properties = CudaDeviceProperties.Read(ordinal);
        Properties = properties;
        CudaException.Check(CudaDriver.cuDriverGetVersion(out int driver), "cuDriverGetVersion");
        OverlapsKernels = properties.Major >= 9 && driver >= 12030;
        CudaException.Check(CudaDriver.cuDevicePrimaryCtxRetain(out nint context, device), $"cuDevicePrimaryCtxRetain of {Name}");
        Context = context;
        using Scope scope = Enter();
        CudaException.Check(CudaDriver.cuStreamCreate(out nint stream, 0), "cuStreamCreate");
        Stream = stream;

        // The pool keeps what is freed, so that an allocation costs a microsecond and no wait.
        CudaException.Check(CudaDriver.cuDeviceGetDefaultMemPool(out nint pool, device), "cuDeviceGetDefaultMemPool");
        ulong all = ulong.MaxValue;
        CudaException.Check(CudaDriver.cuMemPoolSetAttribute(pool, CudaPoolAttribute.ReleaseThreshold, ref all), "cuMemPoolSetAttribute");
        Pool = pool;
    }

    /// <summary>Number of the device, from 0.</summary>
    public int Ordinal { get; }

    /// <summary>"cuda:0".</summary>
    public string Name => string.Create(CultureInfo.InvariantCulture, $"cuda:{Ordinal}");

    /// <summary>What the device can do.</summary>
    public CudaDeviceProperties Properties { get; }

    /// <summary>The primary context, shared with whatever else in the process uses the device.</summary>
    internal nint Context { get; }

    /// <summary>Whether a kernel can begin while the one before it still runs, in recordings too: from Hopper on, with a driver of CUDA 12.3 or later.</summary>
    internal bool OverlapsKernels { get; }

    /// <summary>The stream of all work.</summary>
    internal nint Stream { get; }

    /// <summary>Where memory is taken from, in the order of the stream.</summary>
    internal nint Pool { get; }

    /// <summary>Bytes that can still be allocated: free on the card, or kept by the pool.</summary>
    public long FreeBytes
    {
        get
        {
            using Scope scope = Enter();
            CudaException.Check(CudaDriver.cuMemGetInfo(out nuint free, out _), "cuMemGetInfo");
            CudaException.Check(CudaDriver.cuMemPoolGetAttribute(Pool, CudaPoolAttribute.ReservedBytes, out ulong reserved), "cuMemPoolGetAttribute");
            CudaException.Check(CudaDriver.cuMemPoolGetAttribute(Pool, CudaPoolAttribute.UsedBytes, out ulong used), "cuMemPoolGetAttribute");
            return (long)((ulong)free + reserved - used);
        }
    }

    /// <summary>Whether the pool keeps so many bytes that are not in use: what is then allocated needs nothing more of the card, which takes long to say what it has.</summary>
    internal bool Keeps(long bytes)
    {
        using Scope scope = Enter();
        CudaException.Check(CudaDriver.cuMemPoolGetAttribute(Pool, CudaPoolAttribute.ReservedBytes, out ulong reserved), "cuMemPoolGetAttribute");
        CudaException.Check(CudaDriver.cuMemPoolGetAttribute(Pool, CudaPoolAttribute.UsedBytes, out ulong used), "cuMemPoolGetAttribute");
        return (ulong)bytes <= reserved - used;
    }

    /// <summary>Bytes in use now.</summary>
    public long UsedBytes => PoolBytes(CudaPoolAttribute.UsedBytes);

    /// <summary>Most bytes in use since <see cref="ResetMostUsedBytes"/>.</summary>
    public long MostUsedBytes => PoolBytes(CudaPoolAttribute.MostUsedBytes);

    /// <summary>Begins to measure <see cref="MostUsedBytes"/> anew.</summary>
    public void ResetMostUsedBytes()
    {
        using Scope scope = Enter();
        ulong zero = 0;
        CudaException.Check(CudaDriver.cuMemPoolSetAttribute(Pool, CudaPoolAttribute.MostUsedBytes, ref zero), "cuMemPoolSetAttribute");
    }

    /// <summary>A device by its number, opened at the first call.</summary>
    /// <exception cref="SparseFrontierException">CudaNotInstalled, DeviceNotFound or DeviceUnsupported, with what is missing; DeviceFailed.</exception>
    public static CudaDevice Get(int ordinal)
    {
        if (CudaStatus.Missing(ordinal) is { } missing)
        {
            throw missing;
        }

        // A failure is not kept: a context that another program leaves no memory for finds some later.
        return s_devices.GetOrAdd(ordinal, o => new Lazy<CudaDevice>(() => new CudaDevice(o), LazyThreadSafetyMode.PublicationOnly)).Value;
    }

    /// <summary>Lets two devices copy from each other's memory without a detour over the host, where the machine allows it; copies work in any case.</summary>
    internal static void Connect(CudaDevice one, CudaDevice other)
    {
        foreach ((CudaDevice owner, CudaDevice reader) in ((CudaDevice, CudaDevice)[])[(one, other), (other, one)])
        {
            using Scope scope = owner.Enter();
            CudaException.Check(CudaDriver.cuDeviceGet(out int device, owner.Ordinal), "cuDeviceGet");
            CudaException.Check(CudaDriver.cuDeviceGet(out int peer, reader.Ordinal), "cuDeviceGet");
            CudaException.Check(CudaDriver.cuDeviceCanAccessPeer(out int can, peer, device), "cuDeviceCanAccessPeer");
            if (can != 0)
            {
                var access = CudaPoolAccess.By(peer);
                CudaException.Check(CudaDriver.cuMemPoolSetAccess(owner.Pool, &access, 1), $"cuMemPoolSetAccess of {owner.Name} for {reader.Name}");
            }
        }
    }

    /// <summary>Waits until all work given so far is done.</summary>
    /// <exception cref="CudaException">Something of it failed.</exception>
    public void Synchronize()
    {
        using Scope scope = Enter();
        CudaException.Check(CudaDriver.cuStreamSynchronize(Stream), "A kernel or copy before cuStreamSynchronize");
    }

    /// <summary>Whether this device's owner records work, which can neither wait nor make room.</summary>
    internal bool IsRecording { get; set; }

    /// <summary>Whether a call that ended so is worth another try: where the driver found no memory, and <see cref="GiveBack"/> may have made some.</summary>
    /// <param name="code">What the call gave.</param>
    internal bool MakesRoom(int code)
    {
        if (code != CudaException.OutOfMemory)
        {
            return false;
        }

        using Scope scope = Enter();
        if (IsRecording)
        {
            return false;
        }

        GiveBack();
        return true;
    }

    /// <summary>
    /// Waits for the work given so far and gives back what the pool keeps without using it: it may lie in pieces, and neither other programs nor the driver, which needs memory of
    /// its own for kernels, recordings and libraries, can have it.
    /// </summary>
    internal void GiveBack()
    {
        using Scope scope = Enter();
        Synchronize();
        _ = CudaDriver.cuMemPoolTrimTo(Pool, 0);
    }

    /// <summary>Makes this thread the owner of the device until the scope is disposed; may be nested.</summary>
    internal Scope Enter()
    {
        _lock.Enter();
        int code = CudaDriver.cuCtxSetCurrent(Context);
        if (code != 0)
        {
            _lock.Exit();
            CudaException.Check(code, "cuCtxSetCurrent");
        }

        return new Scope(this);
    }

    /// <summary>
    /// Address of so many ints that are 0 between kernels: where the thread blocks of a kernel that share something count themselves, so that the last can go on with what all of
    /// them wrote. Whatever counts in them sets them to 0 again.
    /// </summary>
    /// <param name="count">Ints.</param>
    /// <param name="set">0 or 1: kernels that run at the same time count in different sets.</param>
    internal ulong Arrivals(int count, int set)
    {
        using Scope scope = Enter();
        List<CudaMemory> memories = _arrivals[set];
        if (memories.Count == 0 || memories[^1].SizeInBytes < count * sizeof(int))
        {
            CudaMemory memory = CudaMemory.Allocate(this, Math.Max(FewestArrivals, 2L * count) * sizeof(int));
            memory.Fill(0);
            memories.Add(memory);
        }

        return memories[^1].Address;
    }

    /// <summary>A kernel, compiled (or taken from the disk cache) at the first call.</summary>
    /// <param name="file">Resource name of the source: "prefill.cu".</param>
    /// <param name="name">Name of the function in it.</param>
    /// <param name="definitions">Constants that the source is specialised by.</param>
    internal CudaFunction Function(string file, string name, params ReadOnlySpan<(string Name, int Value)> definitions)
    {
        // A launch looks its kernel up, so that this must cost next to nothing: no text is made of the constants of a kernel that is there.
        if (_functions.TryGetValue((file, name), out (int[] Values, CudaFunction Function)[]? variants))
        {
            foreach ((int[] values, CudaFunction function) in variants)
            {
                if (Same(values, definitions))
                {
                    return function;
                }
            }
        }

        string[] defines = new string[definitions.Length];
        int[] constants = new int[definitions.Length];
        for (int i = 0; i < defines.Length; i++)
        {
            defines[i] = string.Create(CultureInfo.InvariantCulture, $"-D{definitions[i].Name}={definitions[i].Value}");
            constants[i] = definitions[i].Value;
        }

        // Two threads may compile the same kernel, and one wins.
        CudaFunction loaded = LoadFunction(file, name, defines);
        _functions.AddOrUpdate((file, name), _ => [(constants, loaded)], (_, known) => [.. known, (constants, loaded)]);
        return loaded;

        // The constants of one kernel always have the same names in the same order.
        static bool Same(int[] values, ReadOnlySpan<(string Name, int Value)> definitions)
        {
            if (values.Length != definitions.Length)
            {
                return false;
            }

            for (int i = 0; i < values.Length; i++)
            {
                if (values[i] != definitions[i].Value)
                {
                    return false;
                }
            }

            return true;
        }
    }

    private long PoolBytes(CudaPoolAttribute attribute)
    {
        using Scope scope = Enter();
        CudaException.Check(CudaDriver.cuMemPoolGetAttribute(Pool, attribute, out ulong value), "cuMemPoolGetAttribute");
        return (long)value;
    }

    private CudaFunction LoadFunction(string file, string name, string[] defines)
    {
        byte[] image = KernelCompiler.Compile(file, defines, Properties.Architecture);
        using Scope scope = Enter();
        fixed (byte* data = image)
        {
            int code = CudaDriver.cuModuleLoadData(out nint module, data);
            if (MakesRoom(code))
            {
                code = CudaDriver.cuModuleLoadData(out module, data);
            }

            CudaException.Check(code, $"cuModuleLoadData of {file}");
            var owner = new CudaModule(this, module);
            code = CudaDriver.cuModuleGetFunction(out nint function, module, name);
            if (MakesRoom(code))
            {
                code = CudaDriver.cuModuleGetFunction(out function, module, name);
            }

            CudaException.Check(code, $"cuModuleGetFunction {name} of {file}");
            return new CudaFunction(this, owner, function, $"{name} ({string.Join(' ', defines)})");
        }
    }

    /// <summary>Ownership of a device by a thread.</summary>
    internal readonly struct Scope(CudaDevice device) : IDisposable
    {
        /// <inheritdoc/>
        public void Dispose() => device._lock.Exit();
    }
}

/// <summary>What a GPU can do.</summary>
/// <param name="Name">What NVIDIA calls it.</param>
/// <param name="Major">Compute capability before the point.</param>
/// <param name="Minor">Compute capability after the point.</param>
/// <param name="Multiprocessors">Number of multiprocessors.</param>
/// <param name="MemoryBytes">Bytes of memory.</param>
/// <param name="SharedBytes">Most bytes of shared memory of a thread block.</param>
/// <param name="L2Bytes">Bytes of level-2 cache.</param>
public sealed record CudaDeviceProperties(string Name, int Major, int Minor, int Multiprocessors, long MemoryBytes, int SharedBytes, int L2Bytes)
{
    /// <summary>"9.0".</summary>
    public string Capability => string.Create(CultureInfo.InvariantCulture, $"{Major}.{Minor}");

    /// <summary>Whether the kernels run on it: compute capability 8.0 (Ampere) or later.</summary>
    public bool IsSupported => Major >= 8;

    /// <summary>What kernels are compiled for: "sm_80"; "sm_90a" on Hopper, whose own instructions need the suffix.</summary>
    internal string Architecture => string.Create(CultureInfo.InvariantCulture, $"sm_{Major}{Minor}{(Major == 9 ? "a" : "")}");

    internal static unsafe CudaDeviceProperties Read(int ordinal)
    {
        CudaException.Check(CudaDriver.cuDeviceGet(out int device, ordinal), "cuDeviceGet");
        byte* name = stackalloc byte[256];
        CudaException.Check(CudaDriver.cuDeviceGetName(name, 256, device), "cuDeviceGetName");
        CudaException.Check(CudaDriver.cuDeviceTotalMem(out nuint bytes, device), "cuDeviceTotalMem");
        return new CudaDeviceProperties(
            Marshal.PtrToStringUTF8((nint)name)!,
            Attribute(device, CudaAttribute.ComputeCapabilityMajor),
            Attribute(device, CudaAttribute.ComputeCapabilityMinor),
            Attribute(device, CudaAttribute.Multiprocessors),
            (long)bytes,
            Attribute(device, CudaAttribute.MaximumSharedBytes),
            Attribute(device, CudaAttribute.L2CacheBytes));
    }

    private static int Attribute(int device, CudaAttribute attribute)
    {
        CudaException.Check(CudaDriver.cuDeviceGetAttribute(out int value, attribute, device), $"cuDeviceGetAttribute {attribute}");
        return value;
    }
}
