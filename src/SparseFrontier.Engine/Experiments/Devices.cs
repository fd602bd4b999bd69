using SparseFrontier.Kernels;

namespace SparseFrontier.Experiments;

/// <summary>The devices that runs can compute on.</summary>
internal static class Devices
{
    /// <summary>All devices of this machine.</summary>
    public static IReadOnlyList<SparseAttentionDevice> All() =>
    [
        new SparseAttentionDevice
        {
            Name = "cpu",
            Kind = "Cpu",
            Description = HostInformation.ProcessorName,
            InstructionSet = KernelSets.InstructionSet,
            ProcessorCount = Environment.ProcessorCount,
            MemoryBytes = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes,
        },
    ];

    /// <summary>Refuses a device that is not there.</summary>
    /// <exception cref="SparseFrontierException">DeviceNotFound.</exception>
    public static void Require(string device)
    {
        string[] names = [.. All().Select(d => d.Name)];
        if (!names.Contains(device, StringComparer.OrdinalIgnoreCase))
        {
            throw new SparseFrontierException(ErrorIds.DeviceNotFound, $"There is no device '{device}'. {NameMatcher.Suggestion(device, names)}", device);
        }
    }
}
