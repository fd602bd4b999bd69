using System.Runtime.InteropServices;

namespace SparseFrontier.Kernels.Cuda;

/// <summary>The functions of the CUDA driver API that are used, by their own names; see NVIDIA's reference. All return 0 for success.</summary>
internal static unsafe partial class CudaDriver
{
    private const string Library = CudaLibraries.Driver;

    static CudaDriver() => CudaLibraries.Register();

    [LibraryImport(Library, EntryPoint = "cuInit")]
    public static partial int cuInit(uint flags);

    [LibraryImport(Library, EntryPoint = "cuDriverGetVersion")]
    public static partial int cuDriverGetVersion(out int version);

    [LibraryImport(Library, EntryPoint = "cuGetErrorName")]
    public static partial int cuGetErrorName(int error, out byte* name);

    [LibraryImport(Library, EntryPoint = "cuGetErrorString")]
    public static partial int cuGetErrorString(int error, out byte* description);

    [LibraryImport(Library, EntryPoint = "cuDeviceGetCount")]
    public static partial int cuDeviceGetCount(out int count);

    [LibraryImport(Library, EntryPoint = "cuDeviceGet")]
    public static partial int cuDeviceGet(out int device, int ordinal);

    [LibraryImport(Library, EntryPoint = "cuDeviceGetPCIBusId")]
    public static partial int cuDeviceGetPCIBusId(byte* place, int length, int device);

    [LibraryImport(Library, EntryPoint = "cuDeviceGetName")]
    public static partial int cuDeviceGetName(byte* name, int length, int device);

    [LibraryImport(Library, EntryPoint = "cuDeviceGetAttribute")]
    public static partial int cuDeviceGetAttribute(out int value, CudaAttribute attribute, int device);

    [LibraryImport(Library, EntryPoint = "cuDeviceTotalMem_v2")]
    public static partial int cuDeviceTotalMem(out nuint bytes, int device);

    [LibraryImport(Library, EntryPoint = "cuDevicePrimaryCtxRetain")]
    public static partial int cuDevicePrimaryCtxRetain(out nint context, int device);

    [LibraryImport(Library, EntryPoint = "cuDevicePrimaryCtxRelease_v2")]
    public static partial int cuDevicePrimaryCtxRelease(int device);

    [LibraryImport(Library, EntryPoint = "cuCtxSetCurrent")]
    public static partial int cuCtxSetCurrent(nint context);

    [LibraryImport(Library, EntryPoint = "cuMemGetInfo_v2")]
    public static partial int cuMemGetInfo(out nuint free, out nuint total);

    [LibraryImport(Library, EntryPoint = "cuMemAllocAsync")]
    public static partial int cuMemAllocAsync(out ulong address, nuint bytes, nint stream);

    [LibraryImport(Library, EntryPoint = "cuMemFreeAsync")]
    public static partial int cuMemFreeAsync(ulong address, nint stream);

    [LibraryImport(Library, EntryPoint = "cuDeviceGetDefaultMemPool")]
    public static partial int cuDeviceGetDefaultMemPool(out nint pool, int device);

    [LibraryImport(Library, EntryPoint = "cuMemPoolSetAttribute")]
    public static partial int cuMemPoolSetAttribute(nint pool, CudaPoolAttribute attribute, ref ulong value);

    [LibraryImport(Library, EntryPoint = "cuMemPoolGetAttribute")]
    public static partial int cuMemPoolGetAttribute(nint pool, CudaPoolAttribute attribute, out ulong value);

    [LibraryImport(Library, EntryPoint = "cuMemPoolTrimTo")]
    public static partial int cuMemPoolTrimTo(nint pool, nuint bytesToKeep);

    [LibraryImport(Library, EntryPoint = "cuMemcpyDtoDAsync_v2")]
    public static partial int cuMemcpyDtoDAsync(ulong target, ulong source, nuint bytes, nint stream);

    [LibraryImport(Library, EntryPoint = "cuMemcpyPeerAsync")]
    public static partial int cuMemcpyPeerAsync(ulong target, nint targetContext, ulong source, nint sourceContext, nuint bytes, nint stream);

    [LibraryImport(Library, EntryPoint = "cuDeviceCanAccessPeer")]
    public static partial int cuDeviceCanAccessPeer(out int can, int device, int peer);

    [LibraryImport(Library, EntryPoint = "cuMemPoolSetAccess")]
    public static partial int cuMemPoolSetAccess(nint pool, CudaPoolAccess* access, nuint count);

    [LibraryImport(Library, EntryPoint = "cuStreamWaitEvent")]
    public static partial int cuStreamWaitEvent(nint stream, nint @event, uint flags);

    [LibraryImport(Library, EntryPoint = "cuMemcpyHtoDAsync_v2")]
    public static partial int cuMemcpyHtoDAsync(ulong target, void* source, nuint bytes, nint stream);

    [LibraryImport(Library, EntryPoint = "cuMemcpyDtoHAsync_v2")]
    public static partial int cuMemcpyDtoHAsync(void* target, ulong source, nuint bytes, nint stream);

    [LibraryImport(Library, EntryPoint = "cuMemsetD8Async")]
    public static partial int cuMemsetD8Async(ulong target, byte value, nuint count, nint stream);

    [LibraryImport(Library, EntryPoint = "cuStreamCreate")]
    public static partial int cuStreamCreate(out nint stream, uint flags);

    [LibraryImport(Library, EntryPoint = "cuStreamSynchronize")]
    public static partial int cuStreamSynchronize(nint stream);

    [LibraryImport(Library, EntryPoint = "cuStreamDestroy_v2")]
    public static partial int cuStreamDestroy(nint stream);

    [LibraryImport(Library, EntryPoint = "cuStreamBeginCapture_v2")]
    public static partial int cuStreamBeginCapture(nint stream, int mode);

    [LibraryImport(Library, EntryPoint = "cuStreamEndCapture")]
    public static partial int cuStreamEndCapture(nint stream, out nint graph);

    [LibraryImport(Library, EntryPoint = "cuGraphInstantiateWithFlags")]
    public static partial int cuGraphInstantiateWithFlags(out nint executable, nint graph, ulong flags);

    [LibraryImport(Library, EntryPoint = "cuGraphLaunch")]
    public static partial int cuGraphLaunch(nint executable, nint stream);

    [LibraryImport(Library, EntryPoint = "cuGraphDestroy")]
    public static partial int cuGraphDestroy(nint graph);

    [LibraryImport(Library, EntryPoint = "cuGraphExecDestroy")]
    public static partial int cuGraphExecDestroy(nint executable);

    [LibraryImport(Library, EntryPoint = "cuEventCreate")]
    public static partial int cuEventCreate(out nint @event, uint flags);

    [LibraryImport(Library, EntryPoint = "cuEventRecord")]
    public static partial int cuEventRecord(nint @event, nint stream);

    [LibraryImport(Library, EntryPoint = "cuEventSynchronize")]
    public static partial int cuEventSynchronize(nint @event);

    [LibraryImport(Library, EntryPoint = "cuEventElapsedTime")]
    public static partial int cuEventElapsedTime(out float milliseconds, nint start, nint end);

    [LibraryImport(Library, EntryPoint = "cuEventDestroy_v2")]
    public static partial int cuEventDestroy(nint @event);

    [LibraryImport(Library, EntryPoint = "cuModuleLoadData")]
    public static partial int cuModuleLoadData(out nint module, void* image);

    [LibraryImport(Library, EntryPoint = "cuModuleUnload")]
    public static partial int cuModuleUnload(nint module);

    [LibraryImport(Library, EntryPoint = "cuModuleGetFunction", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int cuModuleGetFunction(out nint function, nint module, string name);

    [LibraryImport(Library, EntryPoint = "cuFuncSetAttribute")]
    public static partial int cuFuncSetAttribute(nint function, CudaFunctionAttribute attribute, int value);

    [LibraryImport(Library, EntryPoint = "cuFuncGetAttribute")]
    public static partial int cuFuncGetAttribute(out int value, CudaFunctionAttribute attribute, nint function);

    [LibraryImport(Library, EntryPoint = "cuLaunchKernel")]
    public static partial int cuLaunchKernel(
        nint function, uint gridX, uint gridY, uint gridZ, uint blockX, uint blockY, uint blockZ, uint sharedBytes, nint stream, void** arguments, void** extra);

    [LibraryImport(Library, EntryPoint = "cuLaunchKernelEx")]
    public static partial int cuLaunchKernelEx(CudaLaunchConfiguration* configuration, nint function, void** arguments, void** extra);

    [LibraryImport(Library, EntryPoint = "cuTensorMapEncodeTiled")]
    public static partial int cuTensorMapEncodeTiled(
        void* tensorMap, int dataType, uint rank, ulong address, ulong* extents, ulong* strides, uint* box, uint* elementStrides, int interleave, int swizzle, int l2Promotion, int fill);
}

/// <summary>Attributes of a device that are asked for (CUdevice_attribute).</summary>
internal enum CudaAttribute
{
    Multiprocessors = 16,
    L2CacheBytes = 38,
    ComputeCapabilityMajor = 75,
    ComputeCapabilityMinor = 76,
    MaximumSharedBytes = 97,
}

/// <summary>Attributes of a memory pool that are read or set (CUmemPool_attribute).</summary>
internal enum CudaPoolAttribute
{
    ReleaseThreshold = 4,
    ReservedBytes = 5,
    UsedBytes = 7,
    MostUsedBytes = 8,
}

/// <summary>Who may read and write a memory pool (CUmemAccessDesc): a device, by its number.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly record struct CudaPoolAccess(int LocationType, int Device, int Access)
{
    private const int OfDevice = 1;
    private const int ReadAndWrite = 3;

    /// <summary>A device that may do both.</summary>
    public static CudaPoolAccess By(int device) => new(OfDevice, device, ReadAndWrite);
}

/// <summary>Attributes of a kernel that are read or set (CUfunction_attribute).</summary>
internal enum CudaFunctionAttribute
{
    LocalBytes = 3,
    Registers = 4,
    MaximumDynamicSharedBytes = 8,
}

/// <summary>CUlaunchConfig.</summary>
internal unsafe struct CudaLaunchConfiguration
{
    public uint GridX;
    public uint GridY;
    public uint GridZ;
    public uint BlockX;
    public uint BlockY;
    public uint BlockZ;
    public uint SharedBytes;
    public nint Stream;
    public CudaLaunchAttribute* Attributes;
    public uint AttributeCount;
}

/// <summary>CUlaunchAttribute.</summary>
[StructLayout(LayoutKind.Explicit, Size = 72)]
internal struct CudaLaunchAttribute
{
    /// <summary>A kernel may begin before the one in front of it has ended.</summary>
    public const int ProgrammaticStreamSerialization = 6;

    [FieldOffset(0)]
    public int Kind;

    [FieldOffset(8)]
    public int Value;
}
