using System.Globalization;

namespace SparseFrontier.Kernels.Cuda;

/// <summary>Which GPUs can be used, and in words what is missing where one cannot.</summary>
public static class CudaStatus
{
    private static readonly Lazy<(string? Missing, CudaDeviceProperties[] Devices)> s_found = new(Find);

    /// <summary>Whether the driver shows at least one GPU, usable or not.</summary>
    public static bool HasDevices => s_found.Value.Devices.Length > 0;

    /// <summary>All GPUs that the driver shows, by number.</summary>
    public static IReadOnlyList<CudaDeviceProperties> Devices => s_found.Value.Devices;

    /// <summary>Where CUDA's libraries were looked for.</summary>
    public static string Searched() =>
        $"driver: {string.Join(", ", CudaLibraries.DriverNames())} {(CudaLibraries.HasDriver ? "(found)" : "(not found)")}; "
        + $"NVRTC: {string.Join(", ", CudaLibraries.CompilerNames())} on the loader's path and in {string.Join(", ", CudaLibraries.CompilerFolders())} "
        + (CudaLibraries.HasCompiler ? "(found)" : "(not found)");

    /// <summary>What keeps a GPU from being used, and what to do; null if nothing does.</summary>
    /// <returns>CudaNotInstalled, DeviceNotFound or DeviceUnsupported.</returns>
    public static SparseFrontierException? Missing(int ordinal)
    {
        (string? missing, CudaDeviceProperties[] devices) = s_found.Value;
        string name = string.Create(CultureInfo.InvariantCulture, $"cuda:{ordinal}");
        if (missing is not null)
        {
            return new SparseFrontierException(ErrorIds.CudaNotInstalled, missing, name);
        }

        if (ordinal >= devices.Length)
        {
            string count = Counted.Of(devices.Length, "GPU");
            return new SparseFrontierException(
                ErrorIds.DeviceNotFound, $"There is no device '{name}': the driver shows {count}, numbered from 0 (CUDA_VISIBLE_DEVICES may hide others).", name);
        }

        CudaDeviceProperties device = devices[ordinal];
        if (!device.IsSupported)
        {
            return new SparseFrontierException(
                ErrorIds.DeviceUnsupported,
                $"{name}, {device.Name}, has compute capability {device.Capability}; the kernels need 8.0 (Ampere) or later. Use the device cpu.",
                name);
        }

        return CudaLibraries.HasCompiler ? null : new SparseFrontierException(ErrorIds.CudaNotInstalled, CompilerMissing(), name);
    }

    /// <summary>The message for a missing run-time compiler.</summary>
    internal static string CompilerMissing() =>
        $"NVIDIA's run-time compiler NVRTC ({string.Join(" or ", CudaLibraries.CompilerNames())}) was not found; kernels are compiled with it at first use. "
        + "Install a CUDA 12 or 13 toolkit, or `pip install nvidia-cuda-nvrtc` in the active Python environment, or name its folder in LD_LIBRARY_PATH or CUDA_PATH; "
        + "or use the device cpu.";

    private static (string? Missing, CudaDeviceProperties[] Devices) Find()
    {
        if (!CudaLibraries.HasDriver)
        {
            return ($"The NVIDIA driver's library ({CudaLibraries.DriverNames()[0]}) was not found. Install the NVIDIA driver, or use the device cpu.", []);
        }

        try
        {
            CudaException.Check(CudaDriver.cuInit(0), "cuInit");
            CudaException.Check(CudaDriver.cuDeviceGetCount(out int count), "cuDeviceGetCount");
            return count == 0
                ? ("The NVIDIA driver shows no GPU (CUDA_VISIBLE_DEVICES may hide it). Use the device cpu.", [])
                : (null, [.. Enumerable.Range(0, count).Select(CudaDeviceProperties.Read)]);
        }
        catch (CudaException e)
        {
            return ($"The NVIDIA driver does not start: {e.Message}", []);
        }
        catch (EntryPointNotFoundException e)
        {
            return ($"The NVIDIA driver is too old: {e.Message} Install one for CUDA 12 or later, or use the device cpu.", []);
        }
    }
}
