using System.Runtime.InteropServices;
using SparseFrontier.Kernels.Measurement;

namespace SparseFrontier.Kernels.Cuda;

/// <summary>A GPU's energy by NVIDIA's management library, which comes with the driver (Volta and later).</summary>
internal sealed unsafe class CudaEnergy : EnergyCounter
{
    private readonly delegate* unmanaged<nint, ulong*, int> _read;
    private readonly nint _device;
    private double _last;

    private CudaEnergy(delegate* unmanaged<nint, ulong*, int> read, nint device)
    {
        _read = read;
        _device = device;
    }

    /// <summary>The counter of a GPU, or in words why there is none.</summary>
    /// <param name="ordinal">Number of the GPU among those that CUDA shows.</param>
    public static (EnergyCounter? Counter, string Description) Open(int ordinal)
    {
        string[] names = OperatingSystem.IsWindows() ? ["nvml.dll"] : ["libnvidia-ml.so.1", "/usr/lib/wsl/lib/libnvidia-ml.so.1"];
        foreach (string name in names)
        {
            if (NativeLibrary.TryLoad(name, out nint library))
            {
                return Open(library, ordinal);
            }
        }

        return (null, $"none: NVIDIA's management library ({string.Join(" or ", names)}) was not found");
    }

    /// <inheritdoc/>
    public override double ReadJoules()
    {
        // A reading that fails now and then leaves the counter where it was.
        ulong millijoules;
        if (_read(_device, &millijoules) == 0)
        {
            _last = millijoules / 1e3;
        }

        return _last;
    }

    private static (EnergyCounter? Counter, string Description) Open(nint library, int ordinal)
    {
        if (!NativeLibrary.TryGetExport(library, "nvmlInit_v2", out nint initialise)
            || !NativeLibrary.TryGetExport(library, "nvmlDeviceGetHandleByPciBusId_v2", out nint find)
            || !NativeLibrary.TryGetExport(library, "nvmlDeviceGetTotalEnergyConsumption", out nint read))
        {
            return (null, "none: NVIDIA's management library here is older than the counter of energy");
        }

        // CUDA_VISIBLE_DEVICES renumbers GPUs for CUDA alone, so the place on the bus says which is meant.
        byte* place = stackalloc byte[32];
        int number = 0;
        int status = CudaDriver.cuInit(0);
        status = status == 0 ? CudaDriver.cuDeviceGet(out number, ordinal) : status;
        status = status == 0 ? CudaDriver.cuDeviceGetPCIBusId(place, 32, number) : status;
        if (status != 0)
        {
            return (null, $"none: the driver does not say where the GPU is (error {status})");
        }

        nint device = 0;
        ulong millijoules = 0;
        int failed = ((delegate* unmanaged<int>)initialise)();
        failed = failed == 0 ? ((delegate* unmanaged<byte*, nint*, int>)find)(place, &device) : failed;
        failed = failed == 0 ? ((delegate* unmanaged<nint, ulong*, int>)read)(device, &millijoules) : failed;
        return failed == 0
            ? (new PacedEnergy(new CudaEnergy((delegate* unmanaged<nint, ulong*, int>)read, device), TimeProvider.System), "NVML")
            : (null, $"none: NVIDIA's management library does not count this GPU's energy (error {failed})");
    }
}
